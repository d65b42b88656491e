"""incremental: each row once for each value of its cursor, whatever its type and however late it comes."""

from __future__ import annotations

import json
from collections.abc import Mapping

import psycopg
import pytest
from psycopg import sql

from harness.fix_pipelines import RunPipeline
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.errors import DataError, SchemaError
from rapidbyte.model import RunReport

_MODES = "fixtures/pipelines/modes.yaml"
_LISTED = "fixtures/pipelines/listed_streams.yaml"
_WRITE_MODES = pytest.mark.parametrize("mode", ["append", "upsert"])


class Incremental:
    """Runs the stream `t` by its cursor `c`."""

    def __init__(self, run_pipeline: RunPipeline) -> None:
        self._run_pipeline = run_pipeline

    def __call__(self, mode: str = "append", **variables: str) -> RunReport:
        chosen = {"STREAM": "t", "SYNC_MODE": "incremental", "CURSOR": "c", "WRITE_MODE": mode}
        return self._run_pipeline(_MODES, **{**chosen, **variables})


@pytest.fixture
def run(run_pipeline: RunPipeline) -> Incremental:
    return Incremental(run_pipeline)


@pytest.fixture
def tables(schemas: SchemaPair) -> tuple[TableName, TableName]:
    return TableName(schemas.source, "t"), TableName(schemas.destination, "t")


def _moved(report: RunReport) -> tuple[int, int]:
    return report.rows_read, report.rows_written


_LOW, _MIDDLE, _HIGH, _LATE = range(1, 5)
TYPES = [  # a type, three values of it in their order, and one between the last two
    ("smallint", "-32768", "0", "32767", "5"),
    ("integer", "-1", "0", "2147483647", "9"),
    ("bigint", "-9223372036854775808", "0", "9223372036854775807", "9"),
    ("numeric", "-1e-40", "0.10", "123456789012345678901234567890.5", "7"),
    ("numeric(12,4)", "-1", "1.5000", "99999999.9999", "2"),
    ("real", "-Infinity", "0.1", "3.4e38", "1"),
    ("double precision", "-1e300", "0.1", "0.30000000000000004", "0.2"),
    ("text", "", "it's \\ ä", "zürich", "k"),
    ("text COLLATE ucs_basic", "B", "a", "ä", "b"),
    ("varchar(20)", "a", "b", "d", "c"),
    ("char(4)", "a", "b", "d", "c"),
    ("date", "-infinity", "1969-12-31", "2024-02-29", "2000-01-01"),
    ("timestamp", "0044-03-15 12:00:00 BC", "1999-12-31 23:59:59.999999", "9999-12-31", "2020-01-01"),
    ("timestamptz", "-infinity", "2024-03-31 01:59:59.999999+01", "2024-03-31 03:00:00.000001+02", "2024-03-31 01:00Z"),
    ("uuid", "0" * 32, "7" * 32, "f" * 32, "8" * 32),
]


@_WRITE_MODES
def test_every_ordered_type_is_a_cursor(
    session: psycopg.Connection, schemas: SchemaPair, ask: Ask, run_pipeline: RunPipeline, mode: str
) -> None:
    kinds = {f"t{number}": case for number, case in enumerate(TYPES)}  # a stream for each
    streams = [{"name": name, "sync_mode": "incremental", "cursor_field": "c"} for name in kinds]

    def moved() -> Mapping[str, tuple[int, int]]:
        report = run_pipeline(_LISTED, STREAMS=json.dumps(streams), WRITE_MODE=mode)
        return {kinds[stream.name][0]: (stream.rows_read, stream.rows_written) for stream in report.streams}

    def insert(*places: int) -> None:
        for name, case in kinds.items():
            for place in places:
                ask("INSERT INTO {s}." + name + " (c) VALUES (%s)", case[place])

    def each(count: int) -> Mapping[str, tuple[int, int]]:
        return {case[0]: (count, count) for case in TYPES}

    for name, case in kinds.items():
        ask("CREATE TABLE {s}." + name + " (id serial PRIMARY KEY, c " + case[0] + ")")
    insert(_MIDDLE, _LOW, _MIDDLE)
    assert moved() == each(3)
    assert moved() == each(0)
    insert(_MIDDLE, _HIGH)  # one at the boundary, one beyond
    assert moved() == each(2)
    assert moved() == each(0)
    for name in kinds:
        assert_same_table(session, TableName(schemas.source, name), TableName(schemas.destination, name))
    insert(_LATE)  # too late: below what was read
    assert moved() == each(0)


def test_numbers_that_travel_as_text_are_read_in_the_order_of_numbers(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id serial PRIMARY KEY, c numeric)")
    ask("INSERT INTO {s}.t (c) VALUES (9), (10), (100)")
    assert _moved(run()) == (3, 3)
    ask("INSERT INTO {s}.t (c) VALUES (50), (101)")  # the first is below what was read
    assert _moved(run()) == (1, 1)
    assert ask("SELECT c::int FROM {d}.t ORDER BY c") == [(9,), (10,), (100,), (101,)]


@_WRITE_MODES
def test_rows_with_the_last_cursor_value_that_come_late_are_neither_lost_nor_doubled(
    session: psycopg.Connection, tables: tuple[TableName, TableName], ask: Ask, run: Incremental, mode: str
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c timestamptz)")
    ask("INSERT INTO {s}.t SELECT n, '2024-01-01' FROM generate_series(10, 100, 10) AS n")
    assert _moved(run(mode)) == (10, 10)
    for late in (5, 45, 105):  # before, among and after those that are there
        ask("INSERT INTO {s}.t VALUES (%s, '2024-01-01')", late)
        assert _moved(run(mode)) == (1, 1)
        assert_same_table(session, *tables)
    ask("DELETE FROM {s}.t WHERE id = 50")
    ask("INSERT INTO {s}.t VALUES (55, '2024-01-01')")
    assert _moved(run(mode)) == (1, 1)
    assert ask("SELECT count(*), count(DISTINCT id) FROM {d}.t") == [(14, 14)]


def test_equal_rows_of_a_table_without_a_key_are_counted(
    session: psycopg.Connection, tables: tuple[TableName, TableName], ask: Ask, run: Incremental
) -> None:
    ask("CREATE TABLE {s}.t (c int, label text)")
    ask("INSERT INTO {s}.t VALUES (1, 'a'), (2, 'b'), (2, 'b'), (2, NULL)")
    assert _moved(run()) == (4, 4)
    ask("INSERT INTO {s}.t VALUES (2, 'b'), (2, NULL), (2, '')")
    assert _moved(run()) == (3, 3)
    assert _moved(run()) == (0, 0)
    assert_same_table(session, *tables)


def test_changed_row_with_the_same_cursor_value_is_upserted_and_not_appended(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int, label text)")
    ask("INSERT INTO {s}.t VALUES (1, 1, 'a'), (2, 1, 'b')")
    for mode, expected in (("upsert", (1, 1)), ("append", (0, 0))):
        run(mode)
        ask("UPDATE {s}.t SET label = label || '!' WHERE id = 2")
        assert _moved(run(mode)) == expected
        if mode == "upsert":
            assert ask("SELECT id, label FROM {d}.t ORDER BY id") == [(1, "a"), (2, "b!")]
            ask("DROP TABLE {d}.t")


def test_moved_row_is_appended_again(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int)")
    ask("INSERT INTO {s}.t VALUES (1, 1), (2, 2)")
    run()
    ask("UPDATE {s}.t SET c = 3 WHERE id = 2")
    assert _moved(run()) == (1, 1)
    assert ask("SELECT id, c FROM {d}.t ORDER BY c") == [(1, 1), (2, 2), (2, 3)]


@_WRITE_MODES
def test_more_equal_values_than_can_be_remembered_are_moved_once(
    session: psycopg.Connection, tables: tuple[TableName, TableName], ask: Ask, run: Incremental, mode: str
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int)")
    ask("INSERT INTO {s}.t SELECT n, 1 FROM generate_series(1, 5000) AS n")
    assert _moved(run(mode)) == (5000, 5000)
    ask("INSERT INTO {s}.t VALUES (5001, 2)")
    assert run(mode).rows_written == (1 if mode == "append" else 5001)
    assert_same_table(session, *tables)
    assert _moved(run(mode)) == (0, 0)


def test_late_row_among_too_many_equal_values_is_a_typed_error(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int)")
    ask("INSERT INTO {s}.t SELECT n, 1 FROM generate_series(1, 5000) AS n")
    run()
    assert _moved(run()) == (0, 0)
    ask("INSERT INTO {s}.t VALUES (5001, 1)")
    with pytest.raises(SchemaError) as caught:
        run()
    assert caught.value.code == "boundary_changed"
    assert ask("SELECT count(*) FROM {d}.t") == [(5000,)]


def test_null_cursor_fails_the_run(ask: Ask, schemas: SchemaPair, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int)")
    ask("INSERT INTO {s}.t VALUES (1, 1), (2, NULL)")
    with pytest.raises(DataError, match="c is NULL") as caught:
        run()
    assert caught.value.code == "null_cursor"
    assert ask("SELECT count(*) FROM pg_namespace WHERE nspname = %s", schemas.destination) == [(0,)]


def test_null_cursor_is_skipped_where_that_is_asked_for(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int)")
    ask("INSERT INTO {s}.t VALUES (1, 1), (2, NULL)")
    assert _moved(run(NULL_CURSOR="skip")) == (1, 1)
    ask("UPDATE {s}.t SET c = 2 WHERE id = 2")
    assert _moved(run(NULL_CURSOR="skip")) == (1, 1)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 1), (2, 2)]


ENDLESS = [
    ("real", "Infinity"),
    ("double precision", "NaN"),
    ("numeric", "NaN"),
    ("numeric", "Infinity"),
    ("numeric(9,2)", "NaN"),
    ("date", "infinity"),
    ("timestamp", "infinity"),
    ("timestamptz", "infinity"),
]


@pytest.mark.parametrize(("kind", "endless"), ENDLESS)
@_WRITE_MODES
def test_cursor_that_nothing_comes_after_fails_the_run_or_its_row_is_left_out(
    ask: Ask, run: Incremental, mode: str, kind: str, endless: str
) -> None:
    first, second, third = ("2024-01-01", "2024-01-02", "2024-01-03") if endless == "infinity" else ("1", "2", "3")
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c " + kind + " NOT NULL)")
    ask("INSERT INTO {s}.t VALUES (1, %s), (2, %s)", first, endless)
    with pytest.raises(DataError, match="c is infinite or NaN") as caught:
        run(mode)
    assert caught.value.code == "endless_cursor"
    assert _moved(run(mode, NULL_CURSOR="skip")) == (1, 1)
    ask("INSERT INTO {s}.t VALUES (3, %s)", second)
    assert _moved(run(mode, NULL_CURSOR="skip")) == (1, 1)
    ask("UPDATE {s}.t SET c = %s WHERE id = 2", third)
    assert _moved(run(mode)) == (1, 1)
    assert _moved(run(mode)) == (0, 0)
    assert ask("SELECT id FROM {d}.t ORDER BY id") == [(1,), (2,), (3,)]


def test_rows_at_the_lower_end_are_moved_once(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c float8)")
    ask("INSERT INTO {s}.t VALUES (1, '-Infinity')")
    assert _moved(run()) == (1, 1)
    ask("INSERT INTO {s}.t VALUES (2, '-Infinity'), (3, 0)")
    assert _moved(run()) == (2, 2)
    assert _moved(run()) == (0, 0)
    assert ask("SELECT id FROM {d}.t ORDER BY id") == [(1,), (2,), (3,)]


def test_lag_leaves_rows_for_a_later_run(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c numeric)")
    ask("INSERT INTO {s}.t SELECT n, n FROM generate_series(1, 10) AS n")
    assert _moved(run(CURSOR_LAG="2.5")) == (7, 7)
    ask("INSERT INTO {s}.t VALUES (11, 7.25), (12, 12)")  # the first comes late, and in time
    assert _moved(run(CURSOR_LAG="2.5")) == (3, 3)
    assert ask("SELECT id FROM {d}.t ORDER BY c") == [(n,) for n in (1, 2, 3, 4, 5, 6, 7, 11, 8, 9)]


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_lag_behind_the_clock(ask: Ask, run: Incremental, kind: str) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c " + kind + ")")
    ask("INSERT INTO {s}.t VALUES (1, now() - interval '3 days'), (2, now()), (3, 'infinity')")
    assert _moved(run(CURSOR_LAG="86400")) == (1, 1)
    assert ask("SELECT id FROM {d}.t") == [(1,)]


def test_lag_needs_a_cursor_with_distances(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c text)")
    with pytest.raises(SchemaError) as caught:
        run(CURSOR_LAG="1")
    assert caught.value.code == "cursor_type"


def test_cursor_that_was_dropped_retyped_or_exchanged_is_a_typed_error(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int, other int)")
    ask("INSERT INTO {s}.t VALUES (1, 1, 1)")
    run()
    with pytest.raises(SchemaError) as exchanged:
        run(CURSOR="other")
    assert exchanged.value.code == "cursor_changed"
    ask("ALTER TABLE {s}.t DROP COLUMN c")
    with pytest.raises(SchemaError) as dropped:
        run()
    assert dropped.value.code == "cursor_not_found"
    ask("ALTER TABLE {s}.t ADD COLUMN c jsonb")
    with pytest.raises(SchemaError) as unordered:
        run()
    assert unordered.value.code == "cursor_type"
    ask("ALTER TABLE {s}.t DROP COLUMN c, ADD COLUMN c bigint")
    ask("ALTER TABLE {d}.t ALTER COLUMN c TYPE bigint")
    with pytest.raises(SchemaError) as retyped:
        run()
    assert retyped.value.code == "cursor_changed"
    assert ask("SELECT id, c FROM {d}.t") == [(1, 1)]


def test_column_more_does_not_move_the_boundary_again(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (c int, label text)")
    ask("INSERT INTO {s}.t VALUES (1, 'a'), (1, 'b')")
    run(COLUMNS="[c, label]")
    ask("ALTER TABLE {s}.t ADD COLUMN more int DEFAULT 1")
    assert _moved(run(COLUMNS="[c, label]")) == (0, 0)
    ask("ALTER TABLE {s}.t DROP COLUMN label")
    with pytest.raises(SchemaError) as caught:
        run(COLUMNS="[c]")
    assert caught.value.code == "boundary_columns_changed"


def test_time_zone_of_the_session_changes_nothing(
    session: psycopg.Connection, tables: tuple[TableName, TableName], ask: Ask, run: Incremental, role: Role
) -> None:
    ask("CREATE TABLE {s}.t (id serial PRIMARY KEY, c timestamptz)")
    ask("INSERT INTO {s}.t (c) VALUES ('2024-03-31 01:30:00+01'), ('2024-03-31 03:30:00+02')")
    for zone in ("Asia/Tokyo", "America/New_York"):
        session.execute(sql.SQL("ALTER ROLE {} SET TimeZone = {}").format(sql.Identifier(role.name), sql.Literal(zone)))
        run(**role.variables)
    ask("INSERT INTO {s}.t (c) VALUES ('2024-03-31 03:30:00+02')")
    assert _moved(run(**role.variables)) == (1, 1)
    assert_same_table(session, *tables)


def test_long_stream_is_committed_in_parts_that_cover_it_exactly(
    session: psycopg.Connection, tables: tuple[TableName, TableName], ask: Ask, run: Incremental
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int, label text)")
    ask("INSERT INTO {s}.t SELECT n, n / 3, repeat('x', 20) FROM generate_series(1, 6000) AS n")
    report = run(BATCH_BYTES="64kb", CHECKPOINT_ROWS="1")
    assert _moved(report) == (6000, 6000)
    assert_same_table(session, *tables)
    assert ask("SELECT count(DISTINCT xmin::text) FROM {d}.t") == [(report.streams[0].batches,)]
    assert _moved(run()) == (0, 0)


def test_table_that_was_dropped_is_filled_anew(
    session: psycopg.Connection, tables: tuple[TableName, TableName], ask: Ask, run: Incremental
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int)")
    ask("INSERT INTO {s}.t VALUES (1, 1)")
    run()
    ask("DROP TABLE {d}.t")
    assert _moved(run()) == (1, 1)
    assert_same_table(session, *tables)


def test_view_is_read_by_its_cursor(ask: Ask, seeded: Seed, run_pipeline: RunPipeline) -> None:
    seeded("fixtures/sql/users.sql")
    ask("CREATE VIEW {s}.named AS SELECT id, name FROM {s}.users")
    variables = {"STREAM": "named", "SYNC_MODE": "incremental", "CURSOR": "id"}
    assert _moved(run_pipeline(_MODES, **variables)) == (3, 3)
    ask("INSERT INTO {s}.users (name) VALUES ('Dora')")
    assert _moved(run_pipeline(_MODES, **variables)) == (1, 1)
    assert ask("SELECT id, name FROM {d}.named ORDER BY id") == [(1, "Alice"), (2, "Bob"), (3, "Carol"), (4, "Dora")]


def test_tie_breaker_tells_rows_of_a_keyless_table_apart(ask: Ask, run: Incremental) -> None:
    ask("CREATE TABLE {s}.t (n int, c int, label text)")
    ask("INSERT INTO {s}.t VALUES (1, 1, 'a'), (2, 1, 'b')")
    assert _moved(run(TIE_BREAKER="n")) == (2, 2)
    ask("UPDATE {s}.t SET label = 'c' WHERE n = 1")
    ask("INSERT INTO {s}.t VALUES (0, 1, 'd')")
    assert _moved(run(TIE_BREAKER="n")) == (1, 1)
    assert ask("SELECT n, label FROM {d}.t ORDER BY n") == [(0, "d"), (1, "a"), (2, "b")]
