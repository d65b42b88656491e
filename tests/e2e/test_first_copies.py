"""sync_mode cdc: the first copies, which several lanes make from one snapshot, and the changes that follow them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from harness.fix_changes import Sql, Sync
from harness.fix_kills import KillRun
from harness.fix_pipelines import RunPipeline
from harness.held_copies import end_one, holding
from harness.kill_points import OF_SHARED_COPIES
from harness.oracle import TableName, assert_same_table
from harness.profiles import is_nightly
from harness.waiting import wait_until
from harness.writers import writing
from rapidbyte.embedded import ServerAddress
from rapidbyte.model import RunReport, StateSpec
from rapidbyte.state import RejectedAt, open_state

SEED = "fixtures/sql/first_copies.sql"
PIPELINE = "fixtures/pipelines/first_copies.yaml"

_TABLES = ("orders", "items", "labels")
_ROWS = {"orders": 18_000, "items": 20_000, "labels": 3}
_KEYS = {"orders": ("id",), "items": ("part", "id"), "labels": ("name",)}
# But for the large one, which a change that leaves it alone does not tell.
_COLUMNS = {"orders": ("id", "note", "at"), "items": ("part", "id", "amount"), "labels": ("name", "colour")}
_MODES = ("append", "upsert")

# Sessions that have begun to copy, by table, and how many snapshots they see.
_READERS = """
    SELECT substring(query FROM 'FROM "public"."(\\w+)" WHERE ctid'), count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'COPY (SELECT%ctid%' GROUP BY 1 ORDER BY 1
"""
_SNAPSHOTS = """
    SELECT count(DISTINCT backend_xmin::text) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'COPY (SELECT%ctid%'
"""
_MEANWHILE = (
    "INSERT INTO orders VALUES (18001, 'late')",
    "UPDATE orders SET note = 'late' WHERE id IN (1, 9000, 18000)",
    "DELETE FROM orders WHERE id = 17999",
    "UPDATE orders SET id = 18002 WHERE id = 17998",
    "UPDATE items SET amount = 0 WHERE id <= 5",
    "INSERT INTO labels VALUES ('d', 'late')",
)
_CHANGES = 12  # of rows


def _streams(*names: str) -> str:
    return json.dumps([{"name": name, "sync_mode": "cdc"} for name in names])


_ALL = _streams(*_TABLES)


@pytest.fixture
def copy(run_pipeline: RunPipeline, changes_variables: Mapping[str, str]) -> Sync:
    """Run the pipeline of all tables to its end, with other variables where a test says so."""
    return lambda **more: run_pipeline(PIPELINE, **{**changes_variables, "STREAMS": _ALL, **more})


def _copy_and_write(run_sql: Sql, run: Callable[[], RunReport], lanes: int) -> tuple[RunReport, dict[str, int]]:
    """Run, and write once so many lanes are at the copies; the report, and how many read which table then."""
    with ThreadPoolExecutor(1) as pool:
        with holding(run_sql) as waiting:
            running = pool.submit(run)
            wait_until(lambda: waiting() == lanes or running.done(), f"{lanes} lanes to copy")
            assert waiting() == lanes
            readers: dict[str, int] = dict(run_sql(_READERS))
            assert run_sql(_SNAPSHOTS) == [(1,)]
            for statement in _MEANWHILE:
                run_sql(statement)
        return running.result(), readers


def _require_equal(run_sql: Sql, session: psycopg.Connection, mode: str, tables: tuple[str, ...] = _TABLES) -> None:
    """Check that the tables are equal to their sources, or that their events come to that, none of them twice."""
    for table in tables:
        if mode == "upsert":
            assert_same_table(session, TableName("public", table), TableName("lake", table))
            continue
        state, key = _state_by_events(table), ", ".join(_KEYS[table])
        source = f"SELECT {', '.join(_COLUMNS[table])} FROM public.{table}"
        assert run_sql(f"{state} EXCEPT ALL {source}") == []
        assert run_sql(f"{source} EXCEPT ALL {state}") == []
        grouped = f"SELECT {key} FROM lake.{table} {{}} GROUP BY {key}{{}} HAVING count(*) > 1"
        assert run_sql(grouped.format("", ", _rb_lsn, _rb_seq")) == []
        assert run_sql(grouped.format("WHERE _rb_op = 'snapshot'", "")) == []
    if mode == "append" and "orders" in tables:
        large = "SELECT DISTINCT body = repeat(md5(id::text), 66) FROM lake.orders WHERE _rb_op = 'snapshot'"
        assert run_sql(f"{large} AND id <= 18000") == [(True,)]


def _state_by_events(table: str) -> str:
    """Return the query of what the events of a table come to: the last of each key that is not another one since."""
    names, key = ", ".join(_COLUMNS[table]), ", ".join(_KEYS[table])
    as_old = ", ".join(f"'{column}', event.{column}::text" for column in _KEYS[table])
    return f"""
        SELECT {names} FROM (SELECT DISTINCT ON ({key}) * FROM lake.{table}
        ORDER BY {key}, _rb_lsn DESC, _rb_seq DESC NULLS LAST) AS event
        WHERE _rb_op <> 'delete' AND NOT EXISTS (SELECT FROM lake.{table} AS later
        WHERE later._rb_old_key = jsonb_build_object({as_old}) AND later._rb_lsn >= event._rb_lsn)
    """


@pytest.mark.parametrize("mode", _MODES)
def test_several_lanes_copy_one_table_from_one_snapshot(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection, mode: str
) -> None:
    only = {"STREAMS": _streams("orders"), "WRITE_MODE": mode}
    report, readers = _copy_and_write(run_sql, lambda: copy(**only), lanes=3)
    (orders,) = report.streams
    assert readers == {"orders": 3}
    assert (orders.rows_read, orders.rows_written, orders.lanes, orders.attempts) == (18_000, 18_000, 3, 1)
    assert copy(**only).streams[0].rows_written == 6
    _require_equal(run_sql, changes_session, mode, ("orders",))


@pytest.mark.parametrize("mode", _MODES)
def test_several_tables_are_copied_at_once_and_the_large_ones_by_several_lanes(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection, mode: str
) -> None:
    report, readers = _copy_and_write(run_sql, lambda: copy(WRITE_MODE=mode, LANES="4"), lanes=4)
    assert readers == {"orders": 2, "items": 1, "labels": 1}
    assert {stream.name: stream.rows_written for stream in report.streams} == _ROWS
    assert [stream.lanes > 1 for stream in report.streams if stream.name != "items"] == [True, False]
    assert copy(WRITE_MODE=mode).rows_written == _CHANGES
    _require_equal(run_sql, changes_session, mode)


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("lanes", ["1", "2", "3", "auto"])
def test_result_does_not_depend_on_how_many_copy(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection, lanes: str, mode: str
) -> None:
    report = copy(WRITE_MODE=mode, LANES=lanes, DELETES="hard")
    assert {stream.name: (stream.rows_read, stream.rows_written) for stream in report.streams} == {
        name: (rows, rows) for name, rows in _ROWS.items()
    }
    receipts = """
        SELECT stream, row_count, is_complete, is_finished, position->'snapshots'->('public.' || stream) IS NOT NULL
        FROM _rapidbyte.receipts ORDER BY stream
    """
    assert run_sql(receipts) == [(name, rows, True, True, True) for name, rows in sorted(_ROWS.items())]
    assert len(run_sql("SELECT DISTINCT position->>'lsn' FROM _rapidbyte.receipts")) == 1
    names = """
        SELECT conrelid::regclass::text, conname FROM pg_constraint
        WHERE connamespace = 'lake'::regnamespace AND contype = 'p' ORDER BY 1
    """
    keys = [(f"lake.{name}", f"{name}_pkey") for name in sorted(_TABLES)] if mode == "upsert" else []
    assert run_sql(names) == keys
    assert run_sql("SELECT conname FROM pg_constraint WHERE conname LIKE 'share%'") == []
    shares = "SELECT relname FROM pg_class WHERE relnamespace = '_rapidbyte'::regnamespace AND relname LIKE 'share%'"
    assert run_sql(shares) == []
    for statement in _MEANWHILE:
        run_sql(statement)
    assert copy(WRITE_MODE=mode, LANES=lanes).rows_written == _CHANGES
    _require_equal(run_sql, changes_session, mode)


@pytest.mark.parametrize("mode", _MODES)
def test_rows_are_those_of_an_undisturbed_run_though_others_write(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection, changes_database: ServerAddress, mode: str
) -> None:
    writes = (
        "UPDATE orders SET note = 'n{c}' WHERE id % 1000 = {a}",
        "INSERT INTO items VALUES ({a}, 100000 + {c}, {b})",
        "DELETE FROM items WHERE part = {a} AND id % 1000 = {b}",
        "UPDATE labels SET colour = '{c}' WHERE name = 'a'",
    )
    with writing(changes_database.dsn(), "copies", 3, writes, 1000):
        copy(WRITE_MODE=mode)
        copy(WRITE_MODE=mode)
    copy(WRITE_MODE=mode)
    _require_equal(run_sql, changes_session, mode)


@pytest.mark.parametrize(
    ("mode", "point"),
    [
        (mode, point)
        for turn, mode in enumerate(_MODES)
        for place, point in enumerate(OF_SHARED_COPIES)
        if is_nightly() or place % len(_MODES) == turn or point.startswith("destination.committed")
    ],
)
def test_copies_that_were_killed_end_as_if_they_were_not(
    copy: Sync,
    kill_run: KillRun,
    run_sql: Sql,
    changes_session: psycopg.Connection,
    changes_variables: Mapping[str, str],
    mode: str,
    point: str,
) -> None:
    kill_run(PIPELINE, point, **changes_variables, STREAMS=_ALL, WRITE_MODE=mode)
    for statement in _MEANWHILE:  # before the next snapshot, and behind that of copies which were published
        run_sql(statement)
    copy(WRITE_MODE=mode)
    run_sql("DELETE FROM orders WHERE id = 2; UPDATE items SET amount = 1 WHERE id = 7")
    copy(WRITE_MODE=mode)
    _require_equal(run_sql, changes_session, mode)


def test_copy_that_was_published_before_a_kill_is_not_made_again(
    copy: Sync, kill_run: KillRun, run_sql: Sql, changes_variables: Mapping[str, str]
) -> None:
    kill_run(PIPELINE, "destination.committed:2", **changes_variables, STREAMS=_ALL, WRITE_MODE="append")
    published = run_sql("SELECT stream, position->'snapshots' FROM _rapidbyte.receipts ORDER BY stream")
    assert len(published) == 2
    report = copy(WRITE_MODE="append")
    written = {stream.name: stream.rows_written for stream in report.streams}
    done = {name for name, _ in published}
    assert written == {name: 0 if name in done else rows for name, rows in _ROWS.items()}
    for name, snapshots in published:
        kept = run_sql(
            "SELECT position->'snapshots'->('public.' || stream) FROM _rapidbyte.receipts WHERE stream = %s", name
        )
        assert kept == [(snapshots[f"public.{name}"],)]


@pytest.mark.parametrize("mode", _MODES)
def test_lane_that_fails_is_one_failure_of_the_attempt(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection, mode: str
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with holding(run_sql) as waiting:
            running = pool.submit(lambda: copy(WRITE_MODE=mode, STREAMS=_streams("orders")))
            wait_until(lambda: waiting() == 3 or running.done(), "three lanes to copy")
            end_one(run_sql)
            run_sql("INSERT INTO orders VALUES (18001, 'late')")
            wait_until(lambda: waiting() < 3 or running.done(), "the attempt to end")
        (orders,) = running.result().streams
    assert (orders.rows_written, orders.attempts) == (18_001, 2)
    _require_equal(run_sql, changes_session, mode, ("orders",))


def test_table_that_is_added_later_is_copied_by_several_lanes_beside_the_changes_of_others(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection
) -> None:
    copy(WRITE_MODE="upsert", STREAMS=_streams("items", "labels"))
    for statement in _MEANWHILE:
        run_sql(statement)
    report = copy(WRITE_MODE="upsert")
    assert {stream.name: stream.rows_written for stream in report.streams} == {
        "orders": 18_000,
        "items": 5,
        "labels": 1,
    }
    _require_equal(run_sql, changes_session, "upsert")


def test_deletes_are_flagged_in_a_table_that_several_lanes_made(copy: Sync, run_sql: Sql) -> None:
    assert copy(WRITE_MODE="upsert", DELETES="flag").rows_written == sum(_ROWS.values())
    run_sql("DELETE FROM orders WHERE id <= 3")
    assert copy(WRITE_MODE="upsert", DELETES="flag").rows_written == 3
    assert run_sql("SELECT id FROM lake.orders WHERE _rb_deleted ORDER BY id") == [(1,), (2,), (3,)]
    assert run_sql("SELECT count(*) FROM lake.orders") == [(18_000,)]


@pytest.mark.parametrize("mode", _MODES)
def test_rows_that_cannot_be_read_are_kept_once_and_counted(
    copy: Sync, run_sql: Sql, kill_run: KillRun, changes_variables: Mapping[str, str], state_path: Path, mode: str
) -> None:
    unreadable = "timestamp '294247-01-10 04:00:54.775807'"
    run_sql(f"UPDATE orders SET at = {unreadable} WHERE id % 5000 = 0")
    run_sql(f"ALTER TABLE labels ADD at timestamp DEFAULT {unreadable}")  # none of its rows can be read
    bad = {"WRITE_MODE": mode, "ON_DATA_ERROR": "dlq"}
    kill_run(PIPELINE, "destination.before_publish", **changes_variables, STREAMS=_ALL, **bad)
    orders, _, labels = copy(**bad).streams
    assert (orders.rows_read, orders.rows_written, orders.rows_rejected) == (18_000, 17_997, 3)
    assert (labels.rows_read, labels.rows_written, labels.rows_rejected) == (3, 0, 3)
    with open_state(StateSpec(connection=str(state_path))) as state:
        letters = [stored.letter for stored in state.dead_letters.list()]
    assert sorted(letter.row.get("id") or letter.row["name"] for letter in letters) == [
        *("10000", "15000", "5000"),
        *("a", "b", "c"),
    ]
    assert {(letter.rejected_at, letter.uncommitted) for letter in letters} == {(RejectedAt.SOURCE, None)}
    assert copy(**bad).rows_written == 0


def test_table_that_is_there_is_copied_by_the_lane_that_moves_its_changes(
    copy: Sync, run_sql: Sql, changes_session: psycopg.Connection
) -> None:
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.items (LIKE items INCLUDING ALL)")
    report, readers = _copy_and_write(run_sql, lambda: copy(WRITE_MODE="upsert", LANES="2"), lanes=2)
    assert readers == {"labels": 1, "orders": 1}
    assert {stream.name: stream.rows_written for stream in report.streams} == _ROWS
    assert report.streams[1].lanes == 1
    copy(WRITE_MODE="upsert")
    _require_equal(run_sql, changes_session, "upsert")


def test_key_that_the_source_does_not_keep_apart_is_copied_by_one_lane(copy: Sync, run_sql: Sql) -> None:
    run_sql("ALTER TABLE orders REPLICA IDENTITY FULL; UPDATE orders SET note = (id % 100)::text")
    streams = json.dumps([{"name": "orders", "sync_mode": "cdc", "primary_key": ["note"]}])
    (orders,) = copy(WRITE_MODE="upsert", STREAMS=streams).streams
    assert (orders.rows_written, orders.lanes) == (18_000, 1)
    assert run_sql("SELECT count(*) FROM lake.orders") == [(100,)]
