"""Receipts in the destination: what they say, who may write them, and the run they carry on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.waiting import wait_until
from rapidbyte.errors import DataError, PermissionDeniedError

_MODES = "fixtures/pipelines/modes.yaml"
_TWO_TABLES = "fixtures/pipelines/two_tables.yaml"
_RECEIPTS = "SELECT {} FROM _rapidbyte.receipts WHERE target_schema = %s ORDER BY target_table"


def _receipts(session: psycopg.Connection, schemas: SchemaPair, columns: str) -> list[tuple[object, ...]]:
    return session.execute(_RECEIPTS.format(columns).encode(), (schemas.destination,)).fetchall()


def test_receipt_says_what_is_durable_and_where_to_go_on(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, ask: Ask, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql")
    chosen = {"STREAM": "users", "SYNC_MODE": "incremental", "CURSOR": "id"}
    columns = "pipeline, stream, target_table, run_id, attempt, row_count, is_complete, is_finished"
    first = run_pipeline(_MODES, **chosen)
    expected = ("modes", "users", "users", first.run_id, 1, 3, True, True)
    assert _receipts(session, schemas, columns) == [expected]
    assert _receipts(session, schemas, "position->>'cursor', position->>'value'") == [("id", "3")]
    ask("INSERT INTO {s}.users (name) VALUES ('Dora')")
    second = run_pipeline(_MODES, **chosen)
    assert _receipts(session, schemas, "run_id, row_count, position->>'value'") == [(second.run_id, 1, "4")]


def test_full_refresh_has_a_receipt_without_a_position(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql")
    report = run_pipeline(_MODES, STREAM="users")
    columns = "run_id, position, row_count, byte_count, is_complete, is_finished"
    assert _receipts(session, schemas, columns) == [(report.run_id, None, 3, report.bytes_read, True, True)]


def test_run_that_failed_is_carried_on_and_the_next_one_begins_anew(
    session: psycopg.Connection, schemas: SchemaPair, ask: Ask, run_pipeline: RunPipeline
) -> None:
    ask("CREATE TABLE {s}.first AS SELECT n AS id FROM generate_series(1, 10) AS n")
    ask("CREATE VIEW {s}.second AS SELECT 1 / (n - 5) AS id FROM generate_series(1, 10) AS n")
    for _ in range(2):
        with pytest.raises(DataError, match="division by zero"):
            run_pipeline(_TWO_TABLES)
    assert _receipts(session, schemas, "stream, is_complete, is_finished") == [("first", True, False)]
    ask("CREATE OR REPLACE VIEW {s}.second AS SELECT 1 / (n - 11) AS id FROM generate_series(1, 10) AS n")
    report = run_pipeline(_TWO_TABLES)
    assert [(stream.rows_read, stream.rows_written) for stream in report.streams] == [(0, 0), (10, 10)]
    tables = [(TableName(schemas.source, name), TableName(schemas.destination, name)) for name in ("first", "second")]
    assert_same_table(session, *tables[0])
    assert _receipts(session, schemas, "is_finished") == [(True,), (True,)]
    run_pipeline(_TWO_TABLES)
    for source, destination in tables:
        assert_same_table(session, source, destination, copies=2)


@pytest.fixture
def made_receipts(seeded: Seed, run_pipeline: RunPipeline) -> None:
    """A destination that has been written to, so that its schema and the table of receipts are there."""
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    run_pipeline(_MODES, STREAM="orders")


@pytest.fixture
def writer(
    owner_session: psycopg.Connection,
    schemas: SchemaPair,
    made_receipts: None,  # noqa: ARG001 (first)
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """A user who may read the source and write into one schema, and nothing else."""
    name = f"writer{schemas.source.removeprefix('src')}"
    role, source, destination = map(sql.Identifier, (name, schemas.source, schemas.destination))
    owner_session.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'of-one-test'").format(role))
    owner_session.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(source, role))
    owner_session.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(source, role))
    owner_session.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA {} TO {}").format(destination, role))
    yield name, {"PGUSER": name, "PGPASSWORD": "of-one-test"}
    owner_session.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(role))
    owner_session.execute(sql.SQL("DROP ROLE {}").format(role))


def test_user_without_privileges_on_receipts_is_told_what_to_grant(
    session: psycopg.Connection,
    schemas: SchemaPair,
    writer: tuple[str, Mapping[str, str]],
    run_pipeline: RunPipeline,
) -> None:
    name, variables = writer
    grants = ("USAGE ON SCHEMA _rapidbyte", "SELECT, INSERT, UPDATE ON _rapidbyte.receipts")
    for grant in grants:
        with pytest.raises(PermissionDeniedError, match=f"GRANT {grant}") as caught:
            run_pipeline(_MODES, STREAM="users", **variables)
        assert caught.value.code == "42501"
        session.execute(sql.SQL("GRANT {} TO {}").format(sql.SQL(grant), sql.Identifier(name)))
    run_pipeline(_MODES, STREAM="users", **variables)
    assert_same_table(session, TableName(schemas.source, "users"), TableName(schemas.destination, "users"))


def test_run_waits_for_a_session_that_still_moves_the_stream(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, ask: Ask, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql")
    key = f'rapidbyte:stream:modes:users:"{schemas.destination}"."users"'
    session.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (key,))
    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(run_pipeline, _MODES, STREAM="users")
        waiting = (
            "SELECT 1 FROM pg_locks JOIN pg_stat_activity USING (pid) "
            "WHERE locktype = 'advisory' AND NOT granted AND query LIKE %s"
        )
        wait_until(lambda: ask(waiting, f"%{schemas.destination}%") == [(1,)], "the run to wait for the lock")
        assert ask("SELECT count(*) FROM pg_namespace WHERE nspname = %s", schemas.destination) == [(0,)]
        session.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", (key,))
        assert running.result().rows_written == 3
    assert_same_table(session, TableName(schemas.source, "users"), TableName(schemas.destination, "users"))
