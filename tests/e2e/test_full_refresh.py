"""full_refresh with append: what is in the source arrives, row for row and type for type."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table, columns_of, row_count
from rapidbyte.model import RunStatus

Session = psycopg.Connection


def _both(schemas: SchemaPair, table: str) -> tuple[TableName, TableName]:
    return TableName(schemas.source, table), TableName(schemas.destination, table)


def test_users_and_orders_arrive_in_a_schema_that_did_not_exist(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    report = run_pipeline("fixtures/pipelines/full_refresh.yaml")
    assert (report.status, report.rows_read, report.rows_written) == (RunStatus.COMPLETED, 6, 6)
    assert [(stream.name, stream.rows_read, stream.rows_written) for stream in report.streams] == [
        ("users", 3, 3),
        ("orders", 3, 3),
    ]
    assert_same_table(session, *_both(schemas, "users"))
    assert_same_table(session, *_both(schemas, "orders"))
    users = sql.SQL("SELECT id, name, email FROM {} ORDER BY id").format(sql.Identifier(schemas.destination, "users"))
    assert session.execute(users).fetchall() == [
        (1, "Alice", "alice@example.com"),
        (2, "Bob", "bob@example.com"),
        (3, "Carol", None),
    ]
    orders = sql.SQL("SELECT * FROM {} ORDER BY id").format(sql.Identifier(schemas.destination, "orders"))
    assert session.execute(orders).fetchall() == [
        (1, 1, 5000, "completed"),
        (2, 2, 12000, "pending"),
        (3, 1, 3500, "completed"),
    ]


def test_only_the_streams_of_the_pipeline_are_made(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql", "fixtures/sql/numbers.sql")
    run_pipeline("fixtures/pipelines/full_refresh.yaml")
    tables = session.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s AND tablename !~ '^_?rapidbyte' ORDER BY 1",
        (schemas.destination,),
    )
    assert tables.fetchall() == [("orders",), ("users",)]


def test_projection_moves_exactly_the_named_columns_in_their_order(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql")
    report = run_pipeline("fixtures/pipelines/projection.yaml")
    assert (report.rows_read, report.rows_written) == (3, 3)
    source, destination = _both(schemas, "users")
    assert columns_of(session, destination) == [("name", "text"), ("id", "integer")]
    assert_same_table(session, source, destination, columns=["name", "id"])


def test_three_tables_at_once_need_no_retry(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/numbers.sql")
    report = run_pipeline("fixtures/pipelines/parallel.yaml")
    assert [(stream.name, stream.rows_read, stream.rows_written, stream.attempts) for stream in report.streams] == [
        ("ones", 10_000, 10_000, 1),
        ("twos", 20_000, 20_000, 1),
        ("threes", 30_000, 30_000, 1),
    ]
    assert all(stream.batches > 1 for stream in report.streams)
    for table in ("ones", "twos", "threes"):
        assert_same_table(session, *_both(schemas, table))


@pytest.mark.parametrize("compression", ["none", "lz4", "zstd"])
def test_append_twice_doubles_the_rows_whatever_the_compression(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline, compression: str
) -> None:
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    for _ in range(2):
        report = run_pipeline("fixtures/pipelines/full_refresh.yaml", COMPRESSION=compression)
        assert (report.rows_read, report.rows_written) == (6, 6)
        assert [stream.attempts for stream in report.streams] == [1, 1]
    source, destination = _both(schemas, "users")
    assert row_count(session, destination) == 6
    assert_same_table(session, source, destination, copies=2)
    assert_same_table(session, *_both(schemas, "orders"), copies=2)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_many_compressed_batches_arrive_whole(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline, compression: str
) -> None:
    seeded("fixtures/sql/numbers.sql")
    run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="threes", COMPRESSION=compression)
    assert_same_table(session, *_both(schemas, "threes"))


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        # A batch is to have half of 64 KiB: one that nearly has that, and a row of nearly all of it.
        ("note text", "SELECT repeat('x', size) FROM unnest(ARRAY[32000, 60000, 32000]) AS size"),
        # In Arrow such a value has its width where it is NULL, too.
        ("a uuid, b uuid, c uuid, d uuid, e uuid, f uuid", "SELECT FROM generate_series(1, 3000)"),
    ],
    ids=["large", "NULL"],
)
def test_rows_within_the_limit_of_a_batch_arrive_whatever_came_before(
    session: Session, schemas: SchemaPair, run_pipeline: RunPipeline, columns: str, rows: str
) -> None:
    source, destination = _both(schemas, "wide")
    name = sql.Identifier(schemas.source, "wide")
    session.execute(sql.SQL(f"CREATE TABLE {{}} ({columns})").format(name))
    session.execute(sql.SQL(f"INSERT INTO {{}} {rows}").format(name))
    run_pipeline("fixtures/pipelines/modes.yaml", STREAM="wide", BATCH_BYTES="64kb")
    assert_same_table(session, source, destination)


def test_table_without_rows_becomes_a_table_without_rows(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/identifiers.sql")
    report = run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="nothing")
    assert (report.rows_read, report.rows_written, report.status) == (0, 0, RunStatus.COMPLETED)
    source, destination = _both(schemas, "nothing")
    assert columns_of(session, destination) == [("id", "integer"), ("label", "text")]
    assert_same_table(session, source, destination)


def test_quoted_capital_reserved_unicode_and_63_byte_names_arrive_as_they_are(
    session: Session, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/identifiers.sql")
    report = run_pipeline("fixtures/pipelines/identifiers.yaml")
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [
        ("Order Items", 2),
        ("user", 1),
        ("größe_東京", 2),
        ("t23456789_123456789_123456789_123456789_123456789_123456789_123", 1),
        ("nothing", 0),
    ]
    for stream in report.streams:
        assert_same_table(session, *_both(schemas, stream.name))
