"""The types that are rare, nested or made by users, and their hardest values: in every write mode and load method, and
whatever is set for the user."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.fix_pipelines import RunPipeline
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.errors import DataError

_PIPELINE = "fixtures/pipelines/types.yaml"
_SEEDS = (
    "fixtures/sql/every_type.sql",
    "fixtures/sql/corner_values.sql",
    "fixtures/sql/arrays.sql",
    "fixtures/sql/own_types.sql",
    "fixtures/sql/odd_keys.sql",
)
_TABLES = tuple(Path(seed).stem for seed in _SEEDS)

# Settings of a user that would change what a value looks like, or how it is read.
_HOSTILE = {
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "TimeZone": "Australia/Lord_Howe",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "search_path": "{s}",
    "standard_conforming_strings": "off",
    "escape_string_warning": "off",
    "array_nulls": "off",
    "xmloption": "document",
    "quote_all_identifiers": "on",
    "client_encoding": "LATIN1",
    "transform_null_equals": "on",
}


@pytest.fixture
def tables(seeded: Seed) -> None:
    seeded(*_SEEDS)


@pytest.fixture
def settings_of_the_user(role: Role, session: psycopg.Connection, schemas: SchemaPair) -> None:
    """Have the sessions of the test's user begin with settings that differ from those that connectors need."""
    for name, value in _HOSTILE.items():
        statement = sql.SQL("ALTER ROLE {} SET {} = {}").format(
            sql.Identifier(role.name), sql.Identifier(name), sql.Literal(value.format(s=schemas.source))
        )
        session.execute(statement)


def _assert_same_tables(session: psycopg.Connection, schemas: SchemaPair) -> None:
    for table in _TABLES:
        assert_same_table(session, TableName(schemas.source, table), TableName(schemas.destination, table))


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("load_method", ["copy", "insert"])
def test_hard_values_of_every_type_arrive_equal(
    session: psycopg.Connection, schemas: SchemaPair, run_pipeline: RunPipeline, load_method: str
) -> None:
    assert run_pipeline(_PIPELINE, LOAD_METHOD=load_method).rows_written == 17
    _assert_same_tables(session, schemas)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize(("write_mode", "load_method"), [("upsert", "copy"), ("replace", "insert")])
def test_hard_values_of_every_type_take_the_place_of_themselves(
    ask: Ask,
    session: psycopg.Connection,
    schemas: SchemaPair,
    run_pipeline: RunPipeline,
    write_mode: str,
    load_method: str,
) -> None:
    run_pipeline(_PIPELINE, WRITE_MODE=write_mode, LOAD_METHOD=load_method)
    ask("UPDATE {s}.odd_keys SET a_value = a_value || ' again'")
    ask("UPDATE {s}.odd_keys SET a_numeric = 1.00, a_span = '24 hours', a_double = 0 WHERE a_numeric = 1")
    ask("UPDATE {s}.arrays SET some_ints = '[3:4]={{NULL,5}}' WHERE id = 1")
    run_pipeline(_PIPELINE, WRITE_MODE=write_mode, LOAD_METHOD=load_method)
    _assert_same_tables(session, schemas)


@pytest.mark.usefixtures("tables", "settings_of_the_user")
@pytest.mark.parametrize("load_method", ["copy", "insert"])
def test_settings_of_the_user_do_not_matter(
    session: psycopg.Connection, schemas: SchemaPair, run_pipeline: RunPipeline, role: Role, load_method: str
) -> None:
    run_pipeline(_PIPELINE, LOAD_METHOD=load_method, **role.variables)
    _assert_same_tables(session, schemas)


def test_columns_have_the_collation_of_the_destination(
    ask: Ask, schemas: SchemaPair, run_pipeline: RunPipeline
) -> None:
    ask("""CREATE TABLE {s}.t (id int, label text COLLATE "C", "short" varchar(3) COLLATE "POSIX")""")
    ask("INSERT INTO {s}.t VALUES (1, 'é', 'abc')")
    run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="t")
    collations = "SELECT attname, attcollation::regcollation::text FROM pg_attribute WHERE attrelid = %s::regclass "
    found = ask(collations + "AND attnum > 0 ORDER BY attnum", f"{schemas.destination}.t")
    assert found == [("id", "-"), ("label", '"default"'), ("short", '"default"')]
    assert ask("SELECT * FROM {d}.t") == [(1, "é", "abc")]


def test_value_that_a_type_of_the_same_name_refuses_fails_the_run(
    ask: Ask, schemas: SchemaPair, run_pipeline: RunPipeline
) -> None:
    ask("CREATE DOMAIN {s}.positive AS int CHECK (VALUE > 0)")
    ask("CREATE TABLE {s}.t (id int, n {s}.positive)")
    ask("INSERT INTO {s}.t VALUES (1, 1), (2, 2)")
    ask("ALTER DOMAIN {s}.positive ADD CONSTRAINT small CHECK (VALUE < 2) NOT VALID")
    with pytest.raises(DataError) as caught:
        run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="t")
    assert caught.value.code == "23514"
    assert ask("SELECT to_regclass(%s) IS NULL", f"{schemas.destination}.t") == [(True,)]
