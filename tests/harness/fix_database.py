"""A fixture for what a database has only one of: a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from harness.names import SchemaPair, database_name
from harness.schemas import drop_database
from rapidbyte.embedded import ServerAddress


@pytest.fixture
def encoding() -> str:
    """The encoding of the test's own database; a test that wants another has it among its parameters."""
    return "UTF8"


@pytest.fixture
def database(
    owner_session: psycopg.Connection, server: ServerAddress, schemas: SchemaPair, encoding: str
) -> Iterator[ServerAddress]:
    """The address of an empty database that only this test uses."""
    name = database_name(schemas)
    statement = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
    owner_session.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(encoding)))
    yield replace(server, database=name)
    drop_database(owner_session, name)
