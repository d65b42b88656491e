"""`run --dry-run`: the first rows of every stream, as Postgres prints them, and nothing written."""

from __future__ import annotations

import json
import time
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.cli import Cli
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.waiting import wait_until
from rapidbyte.errors import SchemaError

_FULL_REFRESH = "fixtures/pipelines/full_refresh.yaml"
_ONE_TABLE = "fixtures/pipelines/one_table.yaml"
_FORMS = "SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; SET bytea_output = 'hex'"


def _exists(session: psycopg.Connection, schema: str) -> bool:
    return session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone() is not None


def test_rows_are_shown_and_nothing_is_written_or_recorded(
    cli: Cli, session: psycopg.Connection, schemas: SchemaPair, seeded: Seed
) -> None:
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    ended = cli.run("run", _FULL_REFRESH, "--dry-run", "--limit", "2")
    assert ended.code == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split()[:3] for line in lines[:4]] == [
        ["users:", "2", "rows"],
        ["id", "name", "email"],
        ["1", "Alice", "alice@example.com"],
        ["2", "Bob", "bob@example.com"],
    ]
    assert lines[4:] == [
        "",
        "orders: 2 rows",
        "id  user_id  amount_cents  status",
        "1   1        5000          completed",
        "2   2        12000         pending",
    ]
    assert ended.stderr.endswith("Nothing was written.\n")
    assert not _exists(session, schemas.destination)
    assert json.loads(cli.run("runs", "--json").stdout) == {"runs": []}


def test_every_type_is_printed_as_postgres_prints_it(
    cli: Cli, session: psycopg.Connection, schemas: SchemaPair, seeded: Seed
) -> None:
    seeded("fixtures/sql/all_types.sql")
    ended = cli.run("run", _ONE_TABLE, "--dry-run", "--json", STREAM="all_types")
    assert ended.code == 0, ended.stderr
    (stream,) = json.loads(ended.stdout)["streams"]
    session.execute(_FORMS)
    texts = sql.SQL(", ").join(
        sql.SQL("{}::text").format(sql.Identifier(column["name"])) for column in stream["columns"]
    )
    table = sql.Identifier(schemas.source, "all_types")
    expected = session.execute(sql.SQL("SELECT {} FROM {} ORDER BY id").format(texts, table)).fetchall()
    names = [column["name"] for column in stream["columns"]]
    padded = {"c_char"}  # a cast to text drops the padding of char(n), which a row keeps
    for row, wanted in zip(stream["rows"], expected, strict=True):
        for name, cell, text in zip(names, row, wanted, strict=True):
            assert (cell.rstrip() if cell and name in padded else cell) == text, name


def test_a_large_table_is_not_read_to_its_end(
    cli: Cli, session: psycopg.Connection, schemas: SchemaPair, role: Role, seeded: Seed
) -> None:
    seeded("fixtures/sql/slow.sql")
    started = time.monotonic()
    ended = cli.run("run", _ONE_TABLE, "--dry-run", "--limit", "1", "--json", STREAM="slow", **role.variables)
    assert ended.code == 0, ended.stderr
    assert json.loads(ended.stdout)["streams"][0]["rows"] == [["1", ""]]
    assert time.monotonic() - started < 60
    wait_until(lambda: role.running() == [], "the session of the source to end")
    assert not _exists(session, schemas.destination)


def test_a_wrong_table_is_the_same_error_as_of_a_run(variables: dict[str, str]) -> None:
    with pytest.raises(SchemaError, match="no_such_table") as caught:
        rapidbyte.preview_pipeline(Path(_ONE_TABLE), env={**variables, "STREAM": "no_such_table"})
    assert caught.value.code == "table_not_found"
