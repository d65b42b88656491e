"""Seeding: the native SQL of fixtures/sql, run in a schema of the test's."""

from __future__ import annotations

from pathlib import Path

import psycopg
from psycopg import sql


def seed(session: psycopg.Connection, schema: str, *files: str) -> None:
    """Run SQL files, given by their path in the repository, with `schema` as the search path; all or nothing."""
    with session.transaction():
        session.execute(sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema)))
        for file in files:
            session.execute(Path(file).read_bytes())
