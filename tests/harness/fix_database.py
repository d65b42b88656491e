"""A fixture for what a database has only one of: a database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from harness.names import SchemaPair, database_name
from harness.schemas import drop_database
from rapidbyte.embedded import ServerAddress

_UTF8 = "UTF8"


@pytest.fixture
def encoding() -> str:
    """The encoding of the test's own database; a test that wants another has it among its parameters."""
    return _UTF8


@pytest.fixture
def database(
    owner_session: psycopg.Connection, server: ServerAddress, schemas: SchemaPair, encoding: str
) -> Iterator[ServerAddress]:
    """The address of an empty database that only this test uses."""
    with made_database(owner_session, server, schemas, encoding) as address:
        yield address


@contextmanager
def made_database(
    session: psycopg.Connection, server: ServerAddress, schemas: SchemaPair, encoding: str = _UTF8
) -> Iterator[ServerAddress]:
    """Have an empty database within the block, which belongs to whoever owns the schemas."""
    name = database_name(schemas)
    statement = "CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'"
    session.execute(sql.SQL(statement).format(sql.Identifier(name), sql.Literal(encoding)))
    try:
        yield replace(server, database=name)
    finally:
        drop_database(session, name)
