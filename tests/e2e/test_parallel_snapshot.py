"""Lanes of a run see the tables of its source as they were at one moment, and keep rows in their places."""

from __future__ import annotations

import threading

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_gate import Gate
from harness.fix_pipelines import RunListened
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress

_PARTS = "fixtures/pipelines/parts.yaml"
_ROWS = 12_000


@pytest.fixture
def large(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    """The large table and where it goes."""
    seeded("fixtures/sql/large.sql")
    return TableName(schemas.source, "large"), TableName(schemas.destination, "large")


def test_rows_that_change_meanwhile_are_read_once_as_they_were(
    session: psycopg.Connection, large: tuple[TableName, TableName], ask: Ask, gate: Gate, run_listened: RunListened
) -> None:
    ask("CREATE TABLE {s}.before AS TABLE {s}.large")
    opened = gate.opened_by(3)
    gate.actions.append(lambda: ask("UPDATE {s}.large SET code = 'again'"))

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamStarted):  # the first lane has seen the table, and the others have not
            ask("UPDATE {s}.large SET code = 'changed', id = -id")  # each row goes to another place
            ask("DELETE FROM {s}.large WHERE id % 3 = 0 AND gate IS NULL")
            ask("INSERT INTO {s}.large SELECT * FROM {s}.before WHERE gate IS NULL")
        opened(event)

    (stream,) = run_listened(_PARTS, listen, LANES="3").streams
    assert (stream.rows_read, stream.lanes) == (_ROWS, 3)
    assert_same_table(session, TableName(large[0].schema, "before"), large[1])


def test_streams_of_a_run_see_one_snapshot(ask: Ask, seeded: Seed, run_listened: RunListened) -> None:
    seeded("fixtures/sql/two_tables.sql")
    started: list[str] = []

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamStarted):
            started.append(event.stream)
            if len(started) == 1:  # the first lane has seen both tables, and the second one is not opened
                ask("INSERT INTO {s}.second SELECT id + 2000, at, label FROM {s}.first WHERE id <= 1000")
                ask("DELETE FROM {s}.first WHERE id <= 1000")

    report = run_listened("fixtures/pipelines/two_tables.yaml", listen, LANES="2")
    assert started == ["first", "second"]
    assert [(stream.rows_read, stream.rows_written) for stream in report.streams] == [(3000, 3000), (2000, 2000)]


def test_statement_that_waits_to_lock_the_table_stops_no_reader(
    session: psycopg.Connection,
    server: ServerAddress,
    large: tuple[TableName, TableName],
    ask: Ask,
    gate: Gate,
    role: Role,
    run_listened: RunListened,
) -> None:
    ask("CREATE TABLE {s}.before AS TABLE {s}.large")
    locking = threading.Thread(target=_rewrite, args=(server, large[0]))

    def is_another_about_to_read() -> bool:
        queries = role.running()
        return any("pg_export_snapshot" in query for query in queries) and any(
            query.startswith("COPY (SELECT") for query in queries
        )

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamProgress) and gate.is_closed and is_another_about_to_read():
            wait_until(lambda: gate.waiting == 1, "the first lane to stand before the gate")
            locking.start()
            wait_until(lambda: _is_locked_out(session, large[0]), "the statement to wait for its lock")
            gate.open()

    gate.close()
    (stream,) = run_listened(_PARTS, listen, LANES="2", **role.variables).streams
    locking.join()
    assert (stream.rows_read, stream.attempts, stream.lanes) == (_ROWS, 1, 2)
    assert_same_table(session, TableName(large[0].schema, "before"), large[1])


def _rewrite(server: ServerAddress, table: TableName) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        session.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(table.schema, table.name)))


def _is_locked_out(session: psycopg.Connection, table: TableName) -> bool:
    name = sql.Identifier(table.schema, table.name).as_string()
    query = (
        "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND mode = 'AccessExclusiveLock' AND NOT granted"
    )
    return session.execute(query, (name,)).fetchone() == (1,)
