"""One pipeline of changes and of full refreshes: the lanes that copy the one and the other are shared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import rapidbyte
from harness.fix_changes import Same, Sql, Sync
from harness.fix_kills import KillRun
from harness.fix_pipelines import RunListened
from harness.held_copies import end_all, holding
from harness.late_lanes import joining_late
from harness.oracle import TableName, assert_same_table
from harness.profiles import is_nightly
from harness.waiting import PATIENCE_S, wait_until
from rapidbyte.embedded import ServerAddress

SEED = "fixtures/sql/first_copies.sql"
PIPELINE = "fixtures/pipelines/first_copies.yaml"

_KINDS: Mapping[str, Mapping[str, str]] = {
    "changes": {"sync_mode": "cdc"},
    "refresh": {"sync_mode": "full_refresh", "write_mode": "append"},
}
_MORE_ITEMS = "INSERT INTO items SELECT 7, n, n FROM generate_series(20001, 60000) AS n"  # enough for three lanes
_ROWS = {"orders": 18_000, "items": 60_000, "labels": 3}
_MEANWHILE = (
    "INSERT INTO orders VALUES (18001, 'late')",
    "UPDATE orders SET note = 'late' WHERE id IN (1, 9000, 18000)",
    "DELETE FROM orders WHERE id = 17999",
    "UPDATE labels SET colour = 'late' WHERE name = 'a'",
)
_CHANGES = 6  # of rows
_MODES = ("append", "upsert")  # of the changes
_KILLS = (  # by lanes: the one stream is moved or on its way, and the other is not
    ("1", "destination.committed:2"),
    ("1", "engine.moved"),
    ("3", "destination.share_opened:3"),
    ("3", "destination.part_committed"),
    ("3", "destination.before_publish:2"),
    ("3", "destination.committed:2"),
    ("3", "engine.moved"),
)


def _streams(**kinds: str) -> str:
    return json.dumps([{"name": name, **_KINDS[kind]} for name, kind in kinds.items()])


# Sessions that wait for the writers to make a slot.
_AT_THE_SLOT = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND query LIKE '%pg_create_logical_replication_slot(%' AND wait_event_type = 'Lock'
"""

STREAMS = _streams(orders="changes", items="refresh", labels="changes")


def _require_exact(run_sql: Sql, session: psycopg.Connection, mode: str, refreshes: int) -> None:
    """Check that the refreshed table has its rows so often, and the others as they are, or each event once."""
    assert_same_table(session, TableName("public", "items"), TableName("lake", "items"), copies=refreshes)
    for table, key in (("orders", "id"), ("labels", "name")):
        if mode == "upsert":
            assert_same_table(session, TableName("public", table), TableName("lake", table))
            continue
        copied = f"SELECT {key} FROM lake.{table} WHERE _rb_op = 'snapshot'"
        changed = f"SELECT {key} FROM lake.{table} WHERE _rb_op <> 'snapshot'"
        counts = f"SELECT count(*), count(DISTINCT {key}) FROM ({copied}) AS copied"
        assert run_sql(counts) == [(_ROWS[table], _ROWS[table])]
        assert run_sql(f"SELECT {key} FROM public.{table} EXCEPT ({copied} UNION ALL {changed})") == []


def _has_refreshed(run_sql: Sql, *tables: str) -> bool:
    made = "SELECT count(*) FROM pg_tables WHERE schemaname = 'lake' AND tablename = ANY(%s)"
    return run_sql(made, list(tables)) == [(len(tables),)]


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("lanes", ["1", "3"])
def test_changes_and_refreshes_of_one_pipeline_are_exact_however_many_copy(
    sync: Sync, run_sql: Sql, changes_session: psycopg.Connection, lanes: str, mode: str
) -> None:
    run_sql(_MORE_ITEMS)
    report = sync(WRITE_MODE=mode, LANES=lanes)
    assert {stream.name: (stream.rows_read, stream.rows_written) for stream in report.streams} == {
        name: (rows, rows) for name, rows in _ROWS.items()
    }
    _require_exact(run_sql, changes_session, mode, refreshes=1)
    for statement in _MEANWHILE:
        run_sql(statement)
    again = sync(WRITE_MODE=mode, LANES=lanes)
    assert again.rows_written == _CHANGES + _ROWS["items"]
    _require_exact(run_sql, changes_session, mode, refreshes=2)
    assert run_sql("SELECT stream, is_complete, is_finished FROM _rapidbyte.receipts ORDER BY stream") == [
        (name, True, True) for name in sorted(_ROWS)
    ]


@pytest.mark.parametrize(
    ("lanes", "point", "mode"),
    [
        (lanes, point, mode)
        for turn, mode in enumerate(_MODES)
        for place, (lanes, point) in enumerate(_KILLS)
        if is_nightly() or place % len(_MODES) == turn
    ],
)
def test_run_of_both_that_is_killed_ends_as_if_it_was_not(
    sync: Sync,
    kill_run: KillRun,
    run_sql: Sql,
    changes_session: psycopg.Connection,
    changes_variables: Mapping[str, str],
    lanes: str,
    point: str,
    mode: str,
) -> None:
    run_sql(_MORE_ITEMS)
    kill_run(PIPELINE, point, **changes_variables, WRITE_MODE=mode, LANES=lanes)
    sync(WRITE_MODE=mode, LANES=lanes)
    _require_exact(run_sql, changes_session, mode, refreshes=1)


@pytest.mark.parametrize(
    "kinds",
    [
        {"orders": "changes", "labels": "refresh", "small": "refresh"},
        {"orders": "refresh", "labels": "changes", "small": "changes"},
    ],
    ids=["changes", "refresh"],
)
def test_lanes_that_are_done_with_the_one_help_with_the_other(
    sync: Sync, run_sql: Sql, kinds: Mapping[str, str]
) -> None:
    run_sql("CREATE TABLE small AS SELECT 1 AS n; ALTER TABLE small ADD PRIMARY KEY (n)")
    with ThreadPoolExecutor(1) as pool:
        with holding(run_sql) as waiting:
            running = pool.submit(sync, WRITE_MODE="append", STREAMS=_streams(**kinds), LANES="3")
            wait_until(lambda: waiting() == 3 or running.done(), "three lanes to copy")
        report = running.result()
    assert [(stream.rows_written, stream.lanes) for stream in report.streams] == [(18_000, 3), (3, 1), (1, 1)]
    assert {stream.attempts for stream in report.streams} == {1}


def test_lanes_of_another_attempt_help_each_other_where_all_had_failed(
    sync: Sync, run_sql: Sql, changes_session: psycopg.Connection
) -> None:
    run_sql(_MORE_ITEMS)
    both = _streams(orders="changes", items="refresh")
    with ThreadPoolExecutor(1) as pool:
        with holding(run_sql) as waiting:
            running = pool.submit(sync, WRITE_MODE="upsert", STREAMS=both, LANES="3")
            wait_until(lambda: waiting() == 3 or running.done(), "three lanes to copy")
            end_all(run_sql)
            wait_until(lambda: waiting() < 3 or running.done(), "the attempts to end")
            wait_until(lambda: waiting() == 3 or running.done(), "three lanes to copy again")
        report = running.result()
    assert [(stream.rows_written, stream.attempts) for stream in report.streams] == [(18_000, 2), (60_000, 2)]
    for name in ("orders", "items"):
        assert_same_table(changes_session, TableName("public", name), TableName("lake", name))


def test_helper_that_opens_while_an_attempt_fails_is_opened_anew(
    run_sql: Sql,
    run_listened: RunListened,
    changes_variables: Mapping[str, str],
    quiet_server: ServerAddress,
) -> None:
    said: list[str] = []

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.LogLine) and event.connector == "engine":
            said.append(event.message)
            late.may_go.set()  # what it is to see is gone by now

    with joining_late(quiet_server) as late, ThreadPoolExecutor(1) as pool, holding(run_sql) as waiting:
        only = {"STREAMS": _streams(orders="refresh"), "WRITE_MODE": "append", "LANES": "2"}
        running = pool.submit(run_listened, PIPELINE, listen, **{**changes_variables, **only, **late.variables})
        assert late.has_come.wait(PATIENCE_S)
        wait_until(lambda: waiting() == 1, "the first lane to copy")
        end_all(run_sql)
        wait_until(lambda: waiting() == 2 or running.done(), "two lanes to copy")
        assert len(said) == 1
    (orders,) = running.result().streams
    assert (orders.rows_written, orders.attempts, orders.lanes) == (18_000, 2, 2)
    assert said[0].startswith("orders failed: ")


def test_lane_that_opens_while_the_slot_is_made_goes_on(
    sync: Sync, run_sql: Sql, changes_database: ServerAddress, quiet_server: ServerAddress, same: Same
) -> None:
    streams = _streams(orders="changes", labels="refresh")
    with (
        ThreadPoolExecutor(1) as pool,
        joining_late(quiet_server) as late,
        psycopg.connect(changes_database.dsn()) as writer,
    ):
        writer.execute("SELECT pg_current_xact_id()")
        running = pool.submit(sync, WRITE_MODE="upsert", STREAMS=streams, LANES="2", **late.variables)
        wait_until(lambda: run_sql(_AT_THE_SLOT) == [(1,)] or running.done(), "the first lane to make the slot")
        assert late.has_come.wait(PATIENCE_S)
        late.may_go.set()
        wait_until(lambda: _has_refreshed(run_sql, "labels") or running.done(), "the other lane to refresh")
        writer.rollback()
        report = running.result()
    assert [(stream.rows_written, stream.attempts) for stream in report.streams] == [(18_000, 1), (3, 1)]
    same("orders", "labels")


def test_changes_are_tried_again_by_a_lane_that_sees_the_tables_as_they_are_now(
    sync: Sync, run_sql: Sql, changes_database: ServerAddress, same: Same
) -> None:
    run_sql("CREATE TABLE small AS SELECT 1 AS n")
    streams = _streams(orders="changes", labels="refresh", small="refresh")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(changes_database.dsn()) as writer:
        writer.execute("SELECT pg_current_xact_id()")
        running = pool.submit(sync, WRITE_MODE="upsert", STREAMS=streams, LANES="3")
        wait_until(lambda: _has_refreshed(run_sql, "labels", "small") or running.done(), "all but the changes")
        assert run_sql(_AT_THE_SLOT) == [(1,)]
        writer.execute("ALTER TABLE orders ADD colour text DEFAULT 'red'")
        writer.commit()
        report = running.result()
    assert [(stream.rows_written, stream.attempts) for stream in report.streams] == [(18_000, 2), (3, 1), (1, 1)]
    same("orders", "labels", "small")
