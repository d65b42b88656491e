"""upsert: a row takes the place of the one with its key, however often the key comes and however wide the table is."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.errors import DataError, SchemaError

_MODES = "fixtures/pipelines/modes.yaml"
_METHODS = pytest.mark.parametrize("method", ["copy", "insert"])


@_METHODS
def test_rows_are_added_and_changed_and_those_that_are_gone_stay(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, ask: Ask, run_pipeline: RunPipeline, method: str
) -> None:
    seeded("fixtures/sql/users.sql")
    tables = TableName(schemas.source, "users"), TableName(schemas.destination, "users")
    for _ in range(2):
        report = run_pipeline(_MODES, STREAM="users", WRITE_MODE="upsert", LOAD_METHOD=method)
        assert (report.rows_read, report.rows_written) == (3, 3)
        assert_same_table(session, *tables)
    ask("UPDATE {s}.users SET email = 'c@x' WHERE id = 3")
    ask("INSERT INTO {s}.users (name) VALUES ('Dora')")
    ask("DELETE FROM {s}.users WHERE id = 1")
    run_pipeline(_MODES, STREAM="users", WRITE_MODE="upsert", LOAD_METHOD=method)
    assert ask("SELECT id, name, email FROM {d}.users ORDER BY id") == [
        (1, "Alice", "alice@example.com"),
        (2, "Bob", "bob@example.com"),
        (3, "Carol", "c@x"),
        (4, "Dora", None),
    ]


@_METHODS
def test_last_row_of_a_key_wins_within_one_batch(ask: Ask, run_pipeline: RunPipeline, method: str) -> None:
    ask("CREATE TABLE {s}.changes (id int, step int, span interval)")
    ask(
        "INSERT INTO {s}.changes VALUES (1, 1, '1 s'), (2, 1, '1 s'), (1, 2, '2 s'), (2, 2, '2 s'), (1, 3, '3 s'), "
        "(3, 1, '1 s')"
    )
    report = run_pipeline(_MODES, STREAM="changes", WRITE_MODE="upsert", KEY="[id]", LOAD_METHOD=method)
    assert report.rows_written == 6
    found = ask("SELECT id, step, extract(epoch FROM span)::int FROM {d}.changes ORDER BY id")
    assert found == [(1, 3, 3), (2, 2, 2), (3, 1, 1)]


@pytest.mark.parametrize("columns", [400, 1600])
def test_table_may_have_as_many_columns_as_postgres_allows(ask: Ask, run_pipeline: RunPipeline, columns: int) -> None:
    ask("CREATE TABLE {s}.wide (id smallint PRIMARY KEY, " + ", ".join(f"c{n} bool" for n in range(columns - 1)) + ")")
    ask("INSERT INTO {s}.wide (id, c0, c7) VALUES (1, true, false), (2, NULL, true)")
    for change in ("SELECT 1", "UPDATE {s}.wide SET c7 = NOT c7"):
        ask(change)
        run_pipeline(_MODES, STREAM="wide", WRITE_MODE="upsert")
        rows = ask("SELECT wide::text FROM {s}.wide ORDER BY id")  # the oracle takes a minute for so many columns
        assert ask("SELECT wide::text FROM {d}.wide ORDER BY id") == rows


@_METHODS
def test_key_of_several_columns_and_key_of_all_columns(
    session: psycopg.Connection, schemas: SchemaPair, ask: Ask, run_pipeline: RunPipeline, method: str
) -> None:
    ask("CREATE TABLE {s}.stock (shop text, item int, count int, PRIMARY KEY (item, shop))")
    ask("CREATE TABLE {s}.likes (who int, what int, PRIMARY KEY (who, what))")
    ask("INSERT INTO {s}.stock VALUES ('a', 1, 10), ('a', 2, 20), ('b', 1, 30)")
    ask("INSERT INTO {s}.likes VALUES (1, 1), (1, 2)")
    for change in ("SELECT 1", "UPDATE {s}.stock SET count = count + 1", "INSERT INTO {s}.likes VALUES (2, 1)"):
        ask(change)
        for table in ("stock", "likes"):
            run_pipeline(_MODES, STREAM=table, WRITE_MODE="upsert", LOAD_METHOD=method)
            assert_same_table(session, TableName(schemas.source, table), TableName(schemas.destination, table))


def test_new_table_gets_the_key(ask: Ask, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline) -> None:
    seeded("fixtures/sql/users.sql")
    run_pipeline(_MODES, STREAM="users", WRITE_MODE="upsert")
    definition = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'p'"
    assert ask(definition, f'"{schemas.destination}".users') == [("PRIMARY KEY (id)",)]


@pytest.mark.parametrize("constraint", ["", "UNIQUE (id) DEFERRABLE", "UNIQUE (id, name)"])
def test_missing_constraint_is_named_by_check_and_by_run(
    ask: Ask, variables: dict[str, str], seeded: Seed, run_pipeline: RunPipeline, constraint: str
) -> None:
    seeded("fixtures/sql/users.sql")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.users AS SELECT * FROM {s}.users WHERE false")
    if constraint:
        ask("ALTER TABLE {d}.users ADD " + constraint)
    chosen = {"STREAM": "users", "WRITE_MODE": "upsert"}
    for call in (
        lambda: run_pipeline(_MODES, **chosen),
        lambda: rapidbyte.check_pipeline(Path(_MODES), env={**variables, **chosen}),
    ):
        with pytest.raises(SchemaError, match=r'ALTER TABLE .*"users" ADD UNIQUE \("id"\)') as caught:
            call()
        assert caught.value.code == "no_unique_constraint"
    assert ask("SELECT count(*) FROM {d}.users") == [(0,)]


def test_stream_without_a_key_is_refused(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE TABLE {s}.keyless (id int)")
    with pytest.raises(SchemaError, match="keyless has no primary key") as caught:
        run_pipeline(_MODES, STREAM="keyless", WRITE_MODE="upsert")
    assert caught.value.code == "no_primary_key"


def test_key_that_is_not_selected_is_refused(seeded: Seed, run_pipeline: RunPipeline) -> None:
    seeded("fixtures/sql/users.sql")
    with pytest.raises(SchemaError) as caught:
        run_pipeline(_MODES, STREAM="users", WRITE_MODE="upsert", COLUMNS="[name]")
    assert caught.value.code == "key_not_selected"


def test_null_in_the_key_is_refused_where_the_table_would_take_it(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE TABLE {s}.codes (code text, n int)")
    ask("INSERT INTO {s}.codes VALUES ('a', 1), (NULL, 2)")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.codes (code text UNIQUE, n int)")
    with pytest.raises(DataError) as caught:
        run_pipeline(_MODES, STREAM="codes", WRITE_MODE="upsert", KEY="[code]")
    assert caught.value.code == "null_key"
    assert ask("SELECT count(*) FROM {d}.codes") == [(0,)]
