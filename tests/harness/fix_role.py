"""A fixture that tells apart who is connected: a database user of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import sql

from harness.names import SchemaPair

_PASSWORD = "of-one-test"


@dataclass(frozen=True, slots=True)
class Role:
    """A database user that only one test uses; `variables` make a pipeline connect as this user."""

    name: str
    variables: Mapping[str, str]
    running: Callable[[], list[str]]


@pytest.fixture
def role(owner_session: psycopg.Connection, schemas: SchemaPair) -> Iterator[Role]:
    """A superuser for one test, and the statements that its sessions are busy with."""
    name = f"role{schemas.source.removeprefix('src')}"
    identifier = sql.Identifier(name)
    owner_session.execute(
        sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(identifier, sql.Literal(_PASSWORD))
    )

    def running() -> list[str]:
        query = "SELECT query FROM pg_stat_activity WHERE usename = %s"
        return [text for (text,) in owner_session.execute(query, (name,)).fetchall()]

    yield Role(name, {"PGUSER": name, "PGPASSWORD": _PASSWORD}, running)
    owner_session.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))
    owner_session.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(identifier))
    owner_session.execute(sql.SQL("DROP ROLE {}").format(identifier))
