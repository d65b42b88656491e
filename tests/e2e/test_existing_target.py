"""Appending to a table that is there already: it is kept, and a run that fails leaves it as it was."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.errors import RapidbyteError, SchemaError


@pytest.fixture
def target(session: psycopg.Connection, schemas: SchemaPair, seeded: Seed) -> TableName:
    """A copy of the users, with their keys and constraints, that stands in the destination before the run."""
    seeded("fixtures/sql/users.sql")
    session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schemas.destination)))
    name = TableName(schemas.destination, "users")
    _run(session, schemas, "CREATE TABLE {destination} (LIKE {source} INCLUDING ALL)")
    return name


def _run(session: psycopg.Connection, schemas: SchemaPair, statement: str) -> None:
    names = {
        "source": sql.Identifier(schemas.source, "users").as_string(session),
        "destination": sql.Identifier(schemas.destination, "users").as_string(session),
    }
    session.execute(statement.format(**names).encode())


def test_empty_table_with_a_key_is_filled_and_keeps_it(
    session: psycopg.Connection, schemas: SchemaPair, target: TableName, run_pipeline: RunPipeline
) -> None:
    run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="users")
    assert_same_table(session, TableName(schemas.source, "users"), target)
    with pytest.raises(psycopg.errors.UniqueViolation):
        _run(session, schemas, "INSERT INTO {destination} SELECT * FROM {source}")


def test_row_that_breaks_a_key_fails_the_run_and_none_is_added(
    session: psycopg.Connection, schemas: SchemaPair, target: TableName, run_pipeline: RunPipeline
) -> None:
    _run(session, schemas, "INSERT INTO {destination} (id, name) VALUES (3, 'was here before')")
    with pytest.raises(RapidbyteError) as caught:
        run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="users")
    assert caught.value.code == "23505"
    rows = session.execute(sql.SQL("SELECT id, name FROM {}").format(sql.Identifier(target.schema, target.name)))
    assert rows.fetchall() == [(3, "was here before")]


@pytest.mark.usefixtures("target")
def test_column_of_another_type_is_named_before_anything_is_written(
    session: psycopg.Connection, schemas: SchemaPair, run_pipeline: RunPipeline
) -> None:
    _run(session, schemas, "ALTER TABLE {destination} ALTER name TYPE varchar(3)")
    with pytest.raises(SchemaError, match=r"name.*text.*character varying\(3\)") as caught:
        run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="users")
    assert caught.value.code == "type_mismatch"
