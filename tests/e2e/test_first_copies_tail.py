"""cdc.mode tail: the first copies that several lanes make before changes are read without an end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

import rapidbyte
from harness.fix_changes import Same, Sql, Sync
from harness.held_copies import holding
from harness.late_lanes import joining_late
from harness.waiting import PATIENCE_S, wait_until
from harness.writers import writing
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import CancelledRunError
from rapidbyte.model import RunReport, RunStatus

SEED = "fixtures/sql/first_copies.sql"
PIPELINE = "fixtures/pipelines/first_copies.yaml"
STREAMS = json.dumps([{"name": name, "sync_mode": "cdc"} for name in ("orders", "items", "labels")])

_TABLES = ("orders", "items", "labels")
_WRITES = (
    "UPDATE orders SET note = 'n{c}' WHERE id % 1000 = {a}",
    "INSERT INTO orders VALUES (100000 + {c}, 'new')",
    "INSERT INTO items VALUES ({a}, 100000 + {c}, {b})",
    "DELETE FROM items WHERE part = {a} AND id % 1000 = {b}",
    "UPDATE labels SET colour = '{c}' WHERE name = 'a'",
)
# Those of the run, and those that keep the server from cleaning up.
_SESSIONS = """
    SELECT count(*), count(backend_xmin) FROM pg_stat_activity WHERE datname = current_database()
    AND pid <> pg_backend_pid() AND backend_type IN ('client backend', 'walsender')
"""
_SLOTS = "SELECT temporary, active FROM pg_replication_slots WHERE database = current_database()"
_SHARES = "SELECT relname FROM pg_class WHERE relnamespace = '_rapidbyte'::regnamespace AND relname LIKE 'share%'"

Stop = Callable[[], RunReport]
Tail = Callable[..., AbstractContextManager[Stop]]


@pytest.fixture
def tail(changes_variables: Mapping[str, str], state_path: Path) -> Tail:
    """Run without an end beside a block, which may stop the run for its report, and at whose end it is stopped."""

    @contextmanager
    def run(listen: Callable[[rapidbyte.Event], None] = lambda _: None, **more: str) -> Iterator[Stop]:
        cancel = rapidbyte.Cancellation()
        env = {**changes_variables, "WRITE_MODE": "upsert", "CDC_MODE": "tail", **more}

        def start() -> RunReport:
            return rapidbyte.run_pipeline(
                Path(PIPELINE), env=env, state_path=state_path, on_event=listen, cancel=cancel
            )

        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(start)

            def stop() -> RunReport:
                cancel.cancel()
                return running.result()

            try:
                yield stop
            finally:
                cancel.cancel()

    return run


def _wait_for(run_sql: Sql, condition: str) -> None:
    """Wait for what is true of the tables in `lake` once they are there."""
    are_there = "SELECT count(*) FROM pg_tables WHERE schemaname = 'lake'"
    wait_until(
        lambda: run_sql(are_there) == [(len(_TABLES),)] and run_sql(f"SELECT {condition}") == [(True,)], condition
    )


def _require_nothing_left(run_sql: Sql) -> None:
    wait_until(lambda: run_sql(_SESSIONS) == [(0, 0)], "the server to notice that the sessions are gone")
    assert run_sql(_SLOTS) == [(False, False)]


def test_copies_of_several_lanes_beside_writers_are_equal_when_the_run_is_stopped(
    tail: Tail, run_sql: Sql, changes_database: ServerAddress, same: Same
) -> None:
    with ExitStack() as held, ExitStack() as runs:
        waiting = held.enter_context(holding(run_sql))
        stop = runs.enter_context(tail())
        wait_until(lambda: waiting() == 3, "three lanes to copy")
        with writing(changes_database.dsn(), "tail", 3, _WRITES, 1000):
            wait_until(lambda: run_sql("SELECT count(*) > 18020 FROM orders") == [(True,)], "the writers")
            held.close()
            _wait_for(run_sql, "EXISTS (SELECT FROM lake.orders WHERE note = 'new')")
        run_sql("INSERT INTO labels VALUES ('z', 'the last one')")
        _wait_for(run_sql, "EXISTS (SELECT FROM lake.labels WHERE name = 'z')")
        wait_until(lambda: run_sql(_SESSIONS) == [(4, 0)], "one lane of three to be left")
        report = stop()
    assert (report.status, {stream.attempts for stream in report.streams}) == (RunStatus.COMPLETED, {1})
    same(*_TABLES)
    _require_nothing_left(run_sql)


@pytest.mark.parametrize("lanes", ["1", "3"])
def test_result_of_a_run_without_an_end_does_not_depend_on_how_many_copy(
    tail: Tail, sync: Sync, run_sql: Sql, same: Same, lanes: str
) -> None:
    with tail(LANES=lanes) as stop:
        _wait_for(run_sql, "(SELECT count(*) FROM lake.items) = 20000")
        run_sql("DELETE FROM items WHERE part = 1; UPDATE orders SET id = -id WHERE id <= 5")
        _wait_for(run_sql, "(SELECT count(*) FROM lake.items) = 16000")
        report = stop()
    assert {stream.name: stream.rows_written for stream in report.streams} == {
        "orders": 18_005,
        "items": 24_000,
        "labels": 3,
    }
    same(*_TABLES)
    _require_nothing_left(run_sql)
    assert sync(WRITE_MODE="upsert", LANES=lanes).rows_written == 0


def test_run_that_is_stopped_while_copies_are_made_leaves_nothing_and_the_next_makes_them(
    tail: Tail, sync: Sync, run_sql: Sql, same: Same
) -> None:
    with holding(run_sql) as waiting, tail() as stop:
        wait_until(lambda: waiting() == 3, "three lanes to copy")
        with pytest.raises(CancelledRunError):
            stop()
    _require_nothing_left(run_sql)
    run_sql("UPDATE orders SET note = 'between' WHERE id = 1")
    assert sync(WRITE_MODE="upsert").rows_written == 38_003
    same(*_TABLES)
    assert run_sql(_SHARES) == []


def test_lane_that_opens_behind_the_copies_is_given_up_without_a_word(
    tail: Tail, run_sql: Sql, quiet_server: ServerAddress
) -> None:
    said: list[str] = []

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.LogLine) and event.connector == "engine":
            said.append(event.message)

    with joining_late(quiet_server) as late, tail(listen, LANES="2", **late.variables) as stop:
        assert late.has_come.wait(PATIENCE_S)
        _wait_for(run_sql, "(SELECT count(*) FROM lake.items) = 20000")
        for number in range(2):  # changes are read, for which the snapshot is let go; then the late one goes on
            run_sql("INSERT INTO labels VALUES (%s)", str(number))
            _wait_for(run_sql, f"EXISTS (SELECT FROM lake.labels WHERE name = '{number}')")
            late.may_go.set()
        report = stop()
    assert [(stream.rows_written, stream.lanes) for stream in report.streams] == [(18_000, 1), (20_000, 1), (5, 1)]
    assert said == []
