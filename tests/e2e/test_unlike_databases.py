"""Databases that differ in what they know: encodings, types that are missing or other ones, types of extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import DataError, SchemaError
from rapidbyte.model import RunReport

_PIPELINE = "fixtures/pipelines/two_databases.yaml"

Move = Callable[..., RunReport]

# Extension -> a type of it, and values that are hard on it; in the schema `tools`.
_EXTENSIONS = {
    "hstore": ("hstore", ['"a b"=>"\\"x\\"", "n"=>NULL', ""]),
    "citext": ("citext", ["MiXed ", ""]),
    "ltree": ("ltree[]", ["{Top.Science,NULL}", "{}"]),
    "cube": ("cube", ["(0.1,-1e-300),(3,4)", "(0)"]),
    "seg": ("seg", ["~1.50 .. <2", "5.0"]),
    "isn": ("isbn13", ["978-0-393-04002-9", "978-0-11-000222-4"]),
    "intarray": ("query_int", ["1&(2|!3)", "7"]),
    "lo": ("lo", ["4294967295", "0"]),
    "vector": ("vector(3)", ["[1,-0.1,1e-30]", "[0,0,0]"]),
}


@pytest.fixture
def other(database: ServerAddress, schemas: SchemaPair) -> Iterator[psycopg.Connection]:
    """A session in the test's own database, which has an empty schema of the source's name; it speaks UTF-8."""
    with psycopg.connect(database.dsn(), autocommit=True, client_encoding="utf8") as connection:
        for schema in (schemas.source, "tools"):
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        connection.execute(sql.SQL("SET search_path = {}").format(sql.Identifier(schemas.source)))
        yield connection


@pytest.fixture
def to_server(run_pipeline: RunPipeline, database: ServerAddress, server: ServerAddress) -> Move:
    """Move the table `t` out of the test's own database."""
    ends = {"SOURCE_DATABASE": database.database, "DESTINATION_DATABASE": server.database}
    return lambda **variables: run_pipeline(_PIPELINE, **ends, **variables)


@pytest.fixture
def from_server(run_pipeline: RunPipeline, database: ServerAddress, server: ServerAddress) -> Move:
    """Move the table `t` into the test's own database."""
    ends = {"SOURCE_DATABASE": server.database, "DESTINATION_DATABASE": database.database}
    return lambda **variables: run_pipeline(_PIPELINE, **ends, **variables)


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII"])
def test_text_of_any_encoding_arrives_as_the_same_characters(
    other: psycopg.Connection, ask: Ask, to_server: Move, encoding: str
) -> None:
    text = "日本" if encoding == "EUC_JP" else "Ünïcödé ß"
    other.execute("CREATE TABLE t (id int, a text, b varchar(20), c name, d json, e jsonb, f text[])")
    other.execute(
        "INSERT INTO t SELECT 1, v, v, v, to_json(v), to_jsonb(v), ARRAY[v] FROM (VALUES (%s::text)) AS f (v)", (text,)
    )
    to_server()
    assert ask("SELECT a, b, c, d, e, f FROM {d}.t") == [(text, text, text, text, text, [text])]


@pytest.mark.parametrize("encoding", ["SQL_ASCII"])
@pytest.mark.parametrize("type_name", ["text", "jsonb", "text[]"])
def test_text_that_is_not_utf8_is_a_bad_row(
    other: psycopg.Connection, ask: Ask, to_server: Move, type_name: str
) -> None:
    values = {"text": "E'caf\\xe9'", "jsonb": "E'\"caf\\xe9\"'", "text[]": "ARRAY[E'caf\\xe9']"}
    other.execute(f"CREATE TABLE t AS SELECT 1 AS id, {values[type_name]}::{type_name} AS label".encode())
    other.execute("INSERT INTO t VALUES (2, NULL)")
    with pytest.raises(DataError) as caught:
        to_server()
    expected = "Column label: a text is not UTF-8, which a database with encoding SQL_ASCII does not prevent."
    assert (caught.value.code, caught.value.message) == ("not_utf8", expected)
    (stream,) = to_server(ON_DATA_ERROR="skip").streams
    assert (stream.rows_written, stream.rows_rejected) == (1, 1)
    assert ask("SELECT id FROM {d}.t") == [(2,)]


@pytest.mark.parametrize("encoding", ["LATIN1"])
@pytest.mark.parametrize("load_method", ["copy", "insert"])
def test_character_that_the_destination_has_not_is_a_bad_row(
    other: psycopg.Connection, ask: Ask, schemas: SchemaPair, from_server: Move, load_method: str
) -> None:
    ask("CREATE TABLE {s}.t (id int, label text)")
    ask("INSERT INTO {s}.t VALUES (1, 'é'), (2, '€')")
    with pytest.raises(DataError) as caught:
        from_server(LOAD_METHOD=load_method)
    assert caught.value.code == "22P05"
    (stream,) = from_server(ON_DATA_ERROR="skip", LOAD_METHOD=load_method).streams
    assert (stream.rows_written, stream.rows_rejected) == (1, 1)
    query = sql.SQL("SELECT * FROM {}").format(sql.Identifier(schemas.destination, "t"))
    assert other.execute(query).fetchall() == [(1, "é")]


@pytest.mark.parametrize("column", ["mood", "mood[]", "positive", "place", "tools.hidden"])
def test_type_that_the_destination_has_not_is_told_before_anything_is_made(
    other: psycopg.Connection, ask: Ask, schemas: SchemaPair, to_server: Move, column: str
) -> None:
    other.execute("CREATE TYPE mood AS ENUM ('ok')")
    other.execute("CREATE DOMAIN positive AS int")
    other.execute("CREATE TYPE place AS (x int)")
    other.execute("CREATE TYPE tools.hidden AS RANGE (subtype = int)")
    other.execute(f"CREATE TABLE t (id int, a_column {column})".encode())
    ask("DROP SCHEMA {s}")
    with pytest.raises(SchemaError) as caught:
        to_server()
    assert caught.value.code == "type_not_found"
    name = column if "." in column else f"{schemas.source}.{column}"
    assert caught.value.message == (
        f"Column a_column of {schemas.destination}.t is of type {name}, which the destination does not have; "
        "create the type, or the extension that has it, in that schema there first."
    )
    assert ask("SELECT 1 FROM pg_namespace WHERE nspname = %s", schemas.destination) == []


def test_check_finds_a_type_that_the_destination_has_not(
    other: psycopg.Connection, ask: Ask, database: ServerAddress, server: ServerAddress, variables: Mapping[str, str]
) -> None:
    other.execute("CREATE TYPE mood AS ENUM ('ok')")
    other.execute("CREATE TABLE t (a mood)")
    ask("DROP SCHEMA {s}")
    ends = {"SOURCE_DATABASE": database.database, "DESTINATION_DATABASE": server.database}
    with pytest.raises(SchemaError) as caught:
        rapidbyte.check_pipeline(Path(_PIPELINE), env={**variables, **ends})
    assert caught.value.code == "type_not_found"


@pytest.mark.parametrize("load_method", ["copy", "insert"])
def test_label_that_the_destinations_enum_has_not_is_a_bad_row(
    other: psycopg.Connection, ask: Ask, to_server: Move, load_method: str
) -> None:
    other.execute("CREATE TYPE mood AS ENUM ('ok', 'sad')")
    other.execute("CREATE TABLE t (id int, a mood, more mood[])")
    other.execute("INSERT INTO t VALUES (1, 'ok', '{ok}'), (2, 'sad', NULL), (3, NULL, '{sad,ok}')")
    ask("CREATE TYPE {s}.mood AS ENUM ('happy', 'ok')")
    with pytest.raises(DataError) as caught:
        to_server(LOAD_METHOD=load_method)
    assert caught.value.code == "22P02"
    (stream,) = to_server(LOAD_METHOD=load_method, ON_DATA_ERROR="skip").streams
    assert (stream.rows_written, stream.rows_rejected) == (1, 2)
    assert ask("SELECT id, a::text, more::text FROM {d}.t") == [(1, "ok", "{ok}")]


@pytest.mark.parametrize("load_method", ["copy", "insert"])
def test_types_of_extensions_arrive_as_these_types(
    other: psycopg.Connection,
    schemas: SchemaPair,
    database: ServerAddress,
    run_pipeline: RunPipeline,
    load_method: str,
) -> None:
    """Those that the server has: a wheel need not carry all."""
    other.execute("SET search_path = tools")
    known = {name for (name,) in other.execute("SELECT name FROM pg_available_extensions").fetchall()}
    kinds = {name: kind for name, kind in _EXTENSIONS.items() if name in known}
    table = sql.Identifier(schemas.source, "t")
    for name in kinds:
        other.execute(sql.SQL("CREATE EXTENSION {} SCHEMA tools").format(sql.Identifier(name)))
    columns = [sql.SQL(f"{name} {kind}") for name, (kind, _) in kinds.items()]
    other.execute(sql.SQL("CREATE TABLE {} (id int, {})").format(table, sql.SQL(", ").join(columns)))
    for row in range(2):
        values = sql.SQL(", ").join(map(sql.Literal, (row, *(values[row] for _, values in kinds.values()))))
        other.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(table, values))
    both = {"SOURCE_DATABASE": database.database, "DESTINATION_DATABASE": database.database}
    run_pipeline(_PIPELINE, **both, LOAD_METHOD=load_method)
    assert_same_table(other, TableName(schemas.source, "t"), TableName(schemas.destination, "t"))
