"""One table moved by several lanes: the same rows, types, receipts and figures as by one, whatever happens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_gate import Gate
from harness.fix_pipelines import RunListened, RunPipeline
from harness.fix_schemas import Seed
from harness.fix_shares import Shares
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.errors import CancelledRunError
from rapidbyte.model import StateSpec
from rapidbyte.state import open_state

_PARTS = "fixtures/pipelines/parts.yaml"
_ROWS = 12_000
_RECEIPT = (
    "SELECT row_count, byte_count, position, attempt, is_complete, is_finished FROM _rapidbyte.receipts "
    "WHERE target_schema = %s"
)


@pytest.fixture
def large(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    """The large table and where it goes."""
    seeded("fixtures/sql/large.sql")
    return TableName(schemas.source, "large"), TableName(schemas.destination, "large")


@pytest.mark.parametrize("mode", ["append", "replace"])
@pytest.mark.parametrize(
    "lanes",
    [
        {"LANES": "1"},
        {"LANES": "2"},
        {"LANES": "3"},
        {"LANES": "auto"},
        {"PINNED": "2", "PARTITION_MODE": "mod", "FLUSH_BYTES": "64kb"},
        {"TUNE": "false"},
        {"LANES": "3", "PARTITION_KEY": "code", "COMPRESSION": "lz4"},
        {"LANES": "2", "LOAD_METHOD": "insert"},
    ],
    ids=lambda lanes: " ".join(lanes.values()),
)
def test_result_does_not_depend_on_how_many_move_it(
    session: psycopg.Connection,
    schemas: SchemaPair,
    large: tuple[TableName, TableName],
    run_pipeline: RunPipeline,
    shares: Shares,
    lanes: Mapping[str, str],
    mode: str,
) -> None:
    report = run_pipeline(_PARTS, WRITE_MODE=mode, **lanes)
    (stream,) = report.streams
    assert (stream.rows_read, stream.rows_written, stream.rows_rejected, stream.attempts) == (_ROWS, _ROWS, 0, 1)
    assert_same_table(session, *large)
    (size,) = session.execute(
        sql.SQL(
            "SELECT sum(2 + 5 * 4 + 4 + 32 + length(share::text) + length(span::text) "
            "+ coalesce(length(note), 0)) FROM {}"
        ).format(sql.Identifier(schemas.source, "large"))
    ).fetchone() or (None,)
    assert stream.bytes_read == size
    expected = [(_ROWS, size, None, 1, True, True)]
    assert session.execute(_RECEIPT, (schemas.destination,)).fetchall() == expected
    assert shares("parts", "large") == []


def test_lanes_read_at_once(
    session: psycopg.Connection, large: tuple[TableName, TableName], gate: Gate, run_listened: RunListened
) -> None:
    (stream,) = run_listened(_PARTS, gate.opened_by(3), LANES="3").streams
    assert (stream.lanes, stream.attempts) == (3, 1)
    assert_same_table(session, *large)


@pytest.mark.parametrize("which", ["min", "max"])
def test_failure_of_one_lane_is_one_of_the_attempt_and_all_parts_are_moved_again(
    session: psycopg.Connection,
    large: tuple[TableName, TableName],
    gate: Gate,
    run_listened: RunListened,
    shares: Shares,
    which: str,
) -> None:
    gate.actions.append(lambda: gate.end_one(which))
    (stream,) = run_listened(_PARTS, gate.opened_by(3), LANES="3").streams
    assert (stream.rows_read, stream.rows_written, stream.attempts) == (_ROWS, _ROWS, 2)
    assert_same_table(session, *large)
    assert shares("parts", "large") == []


def test_run_that_is_cancelled_leaves_nothing(
    large: tuple[TableName, TableName],
    ask: Ask,
    gate: Gate,
    shares: Shares,
    variables: Mapping[str, str],
    state_path: Path,
) -> None:
    cancel = rapidbyte.Cancellation()
    gate.actions += [lambda: _require(len(shares("parts", "large")) == 1), cancel.cancel]
    with pytest.raises(CancelledRunError):
        rapidbyte.run_pipeline(
            Path(_PARTS),
            env={**variables, "LANES": "2"},
            state_path=state_path,
            on_event=gate.opened_by(2),
            cancel=cancel,
        )
    assert shares("parts", "large") == []
    assert ask("SELECT to_regclass(%s)::text", f'"{large[1].schema}".large') == [(None,)]


def _require(is_right: bool) -> None:
    assert is_right


@pytest.mark.parametrize(
    ("statements", "lanes"),
    [
        pytest.param(
            [
                "CREATE TABLE {s}.t (id int, note text) PARTITION BY LIST (id)",
                "CREATE TABLE {s}.t1 PARTITION OF {s}.t FOR VALUES IN (1)",
                "CREATE TABLE {s}.t2 PARTITION OF {s}.t FOR VALUES IN (2)",
                "CREATE TABLE {s}.t3 PARTITION OF {s}.t DEFAULT",
                "INSERT INTO {s}.t SELECT n % 3 + 1, repeat('x', 50) FROM generate_series(1, 50000) AS n",
            ],
            2,
            id="partitioned table",
        ),
        pytest.param(
            [
                "CREATE TABLE {s}.t (id int, note text)",
                "CREATE TABLE {s}.child () INHERITS ({s}.t)",
                "INSERT INTO {s}.t SELECT n, repeat('x', 50) FROM generate_series(1, 20000) AS n",
                "INSERT INTO {s}.child SELECT -n, repeat('y', 50) FROM generate_series(1, 20000) AS n",
            ],
            1,
            id="table with children",
        ),
        pytest.param(
            ["CREATE VIEW {s}.t AS SELECT n AS id, 'x' AS note FROM generate_series(1, 20000) AS n"], 1, id="view"
        ),
        pytest.param(
            [
                "CREATE MATERIALIZED VIEW {s}.t AS SELECT n AS id, repeat('x', 50) AS note "
                "FROM generate_series(1, 20000) AS n"
            ],
            2,
            id="materialized view",
        ),
    ],
)
def test_whatever_is_read_is_read_whole(
    session: psycopg.Connection,
    schemas: SchemaPair,
    ask: Ask,
    run_pipeline: RunPipeline,
    statements: list[str],
    lanes: int,
) -> None:
    for statement in statements:
        ask(statement)
    (stream,) = run_pipeline(_PARTS, STREAM="t", LANES="2").streams
    assert stream.lanes <= lanes
    assert stream.rows_written == ask("SELECT count(*) FROM {s}.t")[0][0]
    assert_same_table(session, TableName(schemas.source, "t"), TableName(schemas.destination, "t"))


@pytest.mark.parametrize(("policy", "kept"), [("skip", 0), ("dlq", 60)])
def test_rows_that_cannot_be_read_are_left_out_by_every_lane(
    large: tuple[TableName, TableName],
    ask: Ask,
    gate: Gate,
    run_listened: RunListened,
    state_path: Path,
    policy: str,
    kept: int,
) -> None:
    ask("ALTER TABLE {s}.large ADD at timestamp")
    ask("UPDATE {s}.large SET at = '294247-01-10 04:00:54.775807' WHERE abs(id) % 200 = 7")
    (stream,) = run_listened(_PARTS, gate.opened_by(2), LANES="2", ON_DATA_ERROR=policy).streams
    assert (stream.rows_read, stream.rows_written, stream.rows_rejected, stream.lanes) == (_ROWS, _ROWS - 60, 60, 2)
    good = ask("SELECT id, code FROM {s}.large WHERE abs(id) % 200 <> 7 ORDER BY id")
    assert ask("SELECT id, code FROM {d}.large ORDER BY id") == good
    assert ask(_RECEIPT, large[1].schema)[0][0] == _ROWS - 60
    with open_state(StateSpec(connection=str(state_path))) as state:
        assert len(state.dead_letters.list()) == kept


def test_large_table_has_several_lanes_by_itself(
    session: psycopg.Connection, schemas: SchemaPair, ask: Ask, run_pipeline: RunPipeline
) -> None:
    ask("CREATE TABLE {s}.t AS SELECT n AS id, repeat(md5(n::text), 50) AS note FROM generate_series(1, 25000) AS n")
    (stream,) = run_pipeline(_PARTS, STREAM="t").streams
    assert (stream.rows_written, stream.lanes) == (25_000, 2)
    assert_same_table(session, TableName(schemas.source, "t"), TableName(schemas.destination, "t"))
