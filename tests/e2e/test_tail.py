"""cdc.mode tail: changes are read on and on until the run is stopped, and what came until then is whole."""

from __future__ import annotations

import itertools
import json
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import rapidbyte
from harness.cli import Cli, Command, finish
from harness.evidence import Evidence
from harness.fix_changes import Sql
from harness.fix_pipelines import RunPipeline
from harness.oracle import TableName, assert_same_table
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import RapidbyteError
from rapidbyte.model import RunStatus

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/changes.yaml"
_APPLIED = "fixtures/pipelines/applied_changes.yaml"
_CONFIRMED = """
    SELECT confirmed_flush_lsn >= %s::pg_lsn FROM pg_replication_slots
    WHERE database = current_database() AND NOT temporary
"""


@pytest.fixture
def tail_cli(changes_variables: Mapping[str, str], tmp_path: Path, evidence: Evidence) -> Cli:
    """The `rapidbyte` command, with the variables of the pipeline of changes, which has no end."""
    return Cli({**changes_variables, "CDC_MODE": "tail"}, tmp_path, evidence)


def _wait_for(run_sql: Sql, table: str, rows: int) -> None:
    def has_come() -> bool:
        if run_sql("SELECT to_regclass(%s) IS NULL", table) == [(True,)]:
            return False
        return run_sql(f"SELECT count(*) FROM {table}") == [(rows,)]

    wait_until(has_come, f"{rows} rows of {table}")


@contextmanager
def _started(cli: Cli, *options: str, pipeline: str = _PIPELINE, **more: str) -> Iterator[Command]:
    """Start a run, which has no end of its own, and end it also where the test fails."""
    with cli.start("run", pipeline, *options, **more) as process:
        try:
            yield process
        finally:
            process.kill()


def _end(process: Command, number: signal.Signals = signal.SIGTERM) -> dict[str, Any]:
    """Ask a run to stop, and return its report."""
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == 0, ended.stderr
    report: dict[str, Any] = json.loads(ended.stdout)
    return report


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_changes_are_committed_soon_until_the_run_is_stopped(
    tail_cli: Cli, run_sql: Sql, run_pipeline: RunPipeline, changes_variables: Mapping[str, str], number: signal.Signals
) -> None:
    with _started(tail_cli, "--json", "-q") as process:
        _wait_for(run_sql, "lake.orders", 2)
        run_sql("INSERT INTO orders (id) VALUES (10)")
        _wait_for(run_sql, "lake.orders", 3)
        run_sql("DELETE FROM items WHERE sku = 'nut'")
        _wait_for(run_sql, "lake.items", 3)
        report = _end(process, number)
    assert (report["status"], report["rows_written"]) == ("completed", 6)
    assert [(stream["name"], stream["rows_written"], stream["attempts"]) for stream in report["streams"]] == [
        ("orders", 3, 1),
        ("items", 3, 1),
    ]
    assert run_sql("SELECT active FROM pg_replication_slots WHERE database = current_database()") == [(False,)]
    run_sql("INSERT INTO items VALUES ('later', 1)")
    assert run_pipeline(_PIPELINE, **changes_variables).rows_written == 1


@pytest.mark.every_major
def test_changes_are_read_by_the_newest_protocol_of_the_server(tail_cli: Cli, run_sql: Sql) -> None:
    senders = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'walsender'"
    with _started(tail_cli, "--json", "-q") as process:
        _wait_for(run_sql, "lake.orders", 2)
        wait_until(lambda: run_sql(f"{senders} AND query LIKE 'START%%'") != [], "changes are read")
        ((command,),) = run_sql(senders)
        _end(process)
    assert "(proto_version '4', " in command  # of 16 and all since


def test_slot_is_confirmed_up_to_what_is_committed_and_moves_though_others_write(tail_cli: Cli, run_sql: Sql) -> None:
    with _started(tail_cli, "--json", "-q") as process:
        _wait_for(run_sql, "lake.orders", 2)
        run_sql("CREATE TABLE other AS SELECT n FROM generate_series(1, 10000) AS n")
        ((end,),) = run_sql("SELECT pg_current_wal_insert_lsn()::text")
        wait_until(lambda: run_sql(_CONFIRMED, end) == [(True,)], "the slot moves")
        assert _end(process)["rows_written"] == 4


@pytest.mark.parametrize(
    ("write_mode", "tables"),
    [("append", ["orders"]), ("append", ["orders", "items"]), ("upsert", ["orders", "items"])],
)
def test_no_transaction_is_open_while_nothing_comes(
    tail_cli: Cli, run_sql: Sql, write_mode: str, tables: list[str]
) -> None:
    streams = [
        {
            "name": name,
            "sync_mode": "cdc",
            "write_mode": write_mode,
            "primary_key": ["id" if name == "orders" else "sku"],
        }
        for name in tables
    ]
    with _started(tail_cli, "--json", "-q", pipeline=_APPLIED, STREAMS=json.dumps(streams)) as process:
        _wait_for(run_sql, "lake.orders", 2)
        run_sql("INSERT INTO orders (id) VALUES (10)")
        _wait_for(run_sql, "lake.orders", 3)
        run_sql("SELECT pg_sleep(1.2)")  # less than to the next commit of a position alone
        old = "SELECT query FROM pg_stat_activity WHERE datname = current_database() AND now() - xact_start > '1 s'"
        assert run_sql(old) == []
        assert _end(process)["streams"][0]["rows_written"] == 3


def test_changes_are_applied_until_the_run_is_stopped(
    tail_cli: Cli, run_sql: Sql, changes_session: psycopg.Connection
) -> None:
    streams = [{"name": "orders", "sync_mode": "cdc"}, {"name": "items", "sync_mode": "cdc", "primary_key": ["sku"]}]
    with _started(tail_cli, "--json", "-q", pipeline=_APPLIED, STREAMS=json.dumps(streams)) as process:
        _wait_for(run_sql, "lake.items", 2)
        run_sql("UPDATE orders SET note = 'changed' WHERE id = 1; UPDATE orders SET id = 7 WHERE id = 2")
        run_sql("TRUNCATE items; INSERT INTO items VALUES ('screw', 1)")
        _wait_for(run_sql, "lake.items", 1)
        run_sql("DELETE FROM orders WHERE id = 7; INSERT INTO orders (id) VALUES (8), (9)")
        _wait_for(run_sql, "lake.orders", 3)
        report = _end(process)
    assert (report["status"], report["rows_written"]) == ("completed", 11)
    for name in ("orders", "items"):
        assert_same_table(changes_session, TableName("public", name), TableName("lake", name))


@pytest.mark.parametrize("rows", [1, 100_000], ids=["all was read", "there is more to read"])
def test_destination_that_waits_for_longer_than_the_server_does_for_an_answer(
    tail_cli: Cli, run_sql: Sql, changes_database: ServerAddress, rows: int
) -> None:
    run_sql(f"ALTER DATABASE {changes_database.database} SET wal_sender_timeout = '500ms'")
    with _started(tail_cli, "--json", "-q") as process:
        _wait_for(run_sql, "lake.items", 2)
        with psycopg.connect(changes_database.dsn()) as holder:
            holder.execute("LOCK TABLE lake.items IN ACCESS EXCLUSIVE MODE")
            run_sql("INSERT INTO items SELECT 'many ' || n, n FROM generate_series(1, %s) AS n", rows)
            ((end,),) = run_sql("SELECT pg_current_wal_insert_lsn()::text")
            waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lake.items'::regclass"
            wait_until(lambda: run_sql(waits) == [(1,)], "the destination waits")
            run_sql("SELECT pg_sleep(2)")  # several times what the server waits for an answer
            assert run_sql(_CONFIRMED, end) == [(False,)]
        _wait_for(run_sql, "lake.items", rows + 2)
        wait_until(lambda: run_sql(_CONFIRMED, end) == [(True,)], "the slot follows")
        report = _end(process)
    assert [(stream["rows_written"], stream["attempts"]) for stream in report["streams"]] == [(2, 1), (rows + 2, 1)]


def test_stop_in_the_middle_of_a_transaction_waits_for_its_end(
    run_sql: Sql,
    run_pipeline: RunPipeline,
    changes_database: ServerAddress,
    changes_variables: Mapping[str, str],
    state_path: Path,
) -> None:
    variables, cancel = {**changes_variables, "CDC_MODE": "tail"}, rapidbyte.Cancellation()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(rapidbyte.run_pipeline, Path(_PIPELINE), env=variables, state_path=state_path, cancel=cancel)
        try:
            _wait_for(run_sql, "lake.items", 2)
            with psycopg.connect(changes_database.dsn()) as holder:
                holder.execute("LOCK TABLE lake.items IN ACCESS EXCLUSIVE MODE")
                run_sql("INSERT INTO items SELECT 'many ' || n, n FROM generate_series(1, 100000) AS n")
                waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lake.items'::regclass"
                wait_until(lambda: run_sql(waits) == [(1,)], "the destination waits")
                cancel.cancel()
        finally:
            cancel.cancel()
        report = run.result()
    assert (report.status, [stream.rows_written for stream in report.streams]) == (RunStatus.COMPLETED, [2, 100_002])
    assert run_pipeline(_PIPELINE, **changes_variables).rows_written == 0


def test_run_that_is_killed_leaves_no_gap_and_nothing_twice(
    tail_cli: Cli, run_sql: Sql, run_pipeline: RunPipeline, changes_variables: Mapping[str, str]
) -> None:
    with _started(tail_cli, "-q") as process:
        _wait_for(run_sql, "lake.orders", 2)
        run_sql("INSERT INTO orders (id) SELECT generate_series(10, 19)")
        _wait_for(run_sql, "lake.orders", 12)
        run_sql("INSERT INTO orders (id) SELECT generate_series(20, 29)")
        process.kill()
    run_pipeline(_PIPELINE, **changes_variables)
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,), *((n,) for n in range(10, 30))]


def test_failures_that_pass_do_not_add_up_where_something_was_committed_between(tail_cli: Cli, run_sql: Sql) -> None:
    reader = "SELECT active_pid FROM pg_replication_slots WHERE database = current_database() AND active"
    with _started(tail_cli, "--json", "-q") as process:
        _wait_for(run_sql, "lake.orders", 2)
        for number in range(5):  # more than the three times that a run is tried again
            run_sql("INSERT INTO orders (id) VALUES (%s)", 10 + number)
            _wait_for(run_sql, "lake.orders", 3 + number)
            ((process_id,),) = run_sql(reader)
            run_sql("SELECT pg_terminate_backend(%s, 10000)", process_id)
            wait_until(lambda: run_sql(reader) != [], "another reader")
        report = _end(process)
    assert [(stream["rows_written"], stream["attempts"]) for stream in report["streams"]] == [(7, 6), (2, 6)]


def test_lag_is_told_while_it_runs(tail_cli: Cli, run_sql: Sql, changes_database: ServerAddress) -> None:
    with _started(tail_cli) as process:
        _wait_for(run_sql, "lake.items", 2)
        with psycopg.connect(changes_database.dsn()) as holder:
            holder.execute("LOCK TABLE lake.items IN ACCESS EXCLUSIVE MODE")
            run_sql("INSERT INTO items SELECT repeat('x', 1000) || n, n FROM generate_series(1, 300) AS n")
            assert process.stderr is not None
            # A line every few seconds, of which the first ones may be from before.
            lines = itertools.islice((line for line in process.stderr if " bytes behind" in line), 20)
            told = next((line for line in lines if _behind(line) > 300_000), "")
        process.send_signal(signal.SIGINT)
        finish(process)
    assert told.startswith(("orders: 2 rows", "items: 2 rows", "items: 302 rows"))


def _behind(line: str) -> int:
    return int(line.rpartition(" bytes behind")[0].rpartition(", ")[2].replace(",", ""))


def test_stream_that_has_an_end_is_refused(run_pipeline: RunPipeline, changes_variables: Mapping[str, str]) -> None:
    with pytest.raises(RapidbyteError) as failed:
        run_pipeline(_PIPELINE, **changes_variables, CDC_MODE="tail", SECOND_MODE="full_refresh")
    assert failed.value.info.code == "tail_with_others"
    assert "stream items is not of sync_mode cdc" in str(failed.value)
