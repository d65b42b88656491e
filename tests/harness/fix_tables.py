"""A fixture for SQL in the test's schemas: statements that name them, and their answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.names import SchemaPair

Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def ask(session: psycopg.Connection, schemas: SchemaPair) -> Ask:
    """Run a statement and return its rows: `{s}` is the source's schema in it, `{d}` the destination's."""

    def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        composed = sql.SQL(statement).format(s=sql.Identifier(schemas.source), d=sql.Identifier(schemas.destination))
        cursor = session.execute(composed, parameters or None)
        return cursor.fetchall() if cursor.description is not None else []

    return run
