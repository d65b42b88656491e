"""Columns that change between changes, and a connection that breaks there: another attempt leaves every row once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness.cli import Cli, Command, finish
from harness.evidence import Evidence
from harness.fix_changes import Sql
from harness.proxy import COMMITTED, Effect, Fault, FaultyProxy
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/changed_schema.yaml"
_ALTERED = b"C\x00\x00\x00\x10ALTER TABLE\x00"  # CommandComplete
_MARKED = b"UPDATE 1\x00"  # the receipts, at the end of the run; in `append`, nothing else is updated
_ROWS = [(10, None), (11, "red"), (12, "blue"), (13, "cut here")]


@pytest.fixture
def proxy(quiet_server: ServerAddress) -> Iterator[FaultyProxy]:
    """A proxy before the server."""
    with FaultyProxy(quiet_server.host, quiet_server.port) as proxy:
        yield proxy


@pytest.fixture
def proxied_cli(changes_variables: Mapping[str, str], proxy: FaultyProxy, tmp_path: Path, evidence: Evidence) -> Cli:
    """The `rapidbyte` command, whose pipeline reaches the server through the proxy and has no end."""
    near = {"PGHOST": "127.0.0.1", "PGPORT": str(proxy.port), "CDC_MODE": "tail", "MAX_RETRIES": "3"}
    return Cli({**changes_variables, **near}, tmp_path, evidence)


@contextmanager
def _tail(cli: Cli, run_sql: Sql, **variables: str) -> Iterator[Command]:
    """Run without an end, and come to the block once a change has."""
    with cli.start("run", _PIPELINE, "--json", "-q", **variables) as process:
        try:
            run_sql("INSERT INTO orders (id) VALUES (10)")
            _wait(run_sql, 10)
            yield process
        finally:
            process.kill()


def _wait(run_sql: Sql, number: int) -> None:
    is_there = "SELECT to_regclass('lake.orders') IS NOT NULL"
    has_come = f"SELECT count(*) FROM lake.orders WHERE id = {number}"
    wait_until(lambda: run_sql(is_there) == [(True,)] and run_sql(has_come) == [(1,)], f"row {number}")


def _end(process: Command) -> dict[str, Any]:
    process.terminate()
    ended = finish(process)
    assert ended.code == 0, ended.stderr
    (stream,) = json.loads(ended.stdout)["streams"]
    return dict(stream)


@pytest.mark.parametrize("mode", ["append", "upsert"])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(Effect.CUT, answer=_ALTERED),
        Fault(Effect.CUT, answer=COMMITTED),
        Fault(Effect.CUT, answer=b"cut here"),
    ],
    ids=["the table is altered", "that is committed", "the next change comes"],
)
def test_connection_that_breaks_where_columns_change_is_followed_by_another(
    proxied_cli: Cli, proxy: FaultyProxy, run_sql: Sql, mode: str, fault: Fault
) -> None:
    with _tail(proxied_cli, run_sql, WRITE_MODE=mode, REMOVED_COLUMN="fail") as process:
        run_sql("ALTER TABLE orders ADD colour text")
        if fault.answer == b"cut here":
            run_sql("INSERT INTO orders (id, colour) VALUES (11, 'red')")
            _wait(run_sql, 11)
            proxy.order(fault)
            run_sql("INSERT INTO orders (id, colour) VALUES (12, 'blue'), (13, 'cut here')")
        else:
            proxy.order(fault)
            run_sql("INSERT INTO orders (id, colour) VALUES (11, 'red'), (12, 'blue'), (13, 'cut here')")
        _wait(run_sql, 13)
        stream = _end(process)
    assert (proxy.struck, stream["attempts"], stream["rows_written"]) == (1, 2, 6)
    assert run_sql("SELECT id, colour FROM lake.orders WHERE id >= 10 ORDER BY id") == _ROWS


def test_end_of_a_run_is_tried_again_though_the_table_has_a_column_that_came_meanwhile(
    proxied_cli: Cli, proxy: FaultyProxy, run_sql: Sql
) -> None:
    with _tail(proxied_cli, run_sql, REMOVED_COLUMN="fail") as process:
        run_sql("ALTER TABLE orders ADD colour text; INSERT INTO orders (id, colour) VALUES (11, 'red')")
        _wait(run_sql, 11)
        proxy.order(Fault(Effect.CUT, answer=_MARKED))
        stream = _end(process)
    assert (proxy.struck, stream["attempts"], stream["rows_written"]) == (1, 1, 4)
    assert run_sql("SELECT is_complete, is_finished FROM _rapidbyte.receipts") == [(True, True)]
