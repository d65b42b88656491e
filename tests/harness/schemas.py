"""Schemas on the shared server: whose they are, when they go, and what crashed runs left.

Every process holds an advisory lock on its own number for as long as its session lives. The server frees the lock of a
killed process, which is how others know that its schemas have no owner any more.
"""

from __future__ import annotations

import secrets
import time

import psycopg
from psycopg import sql

from harness.names import SchemaPair, owner_of, schema_pair

_LOCK_CLASS = 0x72617069  # keeps our locks apart from those of others in the same database
_KEPT = "kept by --keep-schemas"
_END_SESSIONS = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s"
_ENDING_S = 5.0
_ENDING_POLL_S = 0.002


class SchemaOwner:
    """The schemas of one test process. Needs a session in autocommit mode that lives as long as the process."""

    def __init__(self, session: psycopg.Connection) -> None:
        self._session = session
        self._number = secrets.randbits(32)
        while not _try_lock(session, self._number):
            self._number = secrets.randbits(32)
        self._count = 0

    def create(self, test: str) -> SchemaPair:
        """Make the source schema of a test; the destination's name is free, and its schema is left to the pipeline."""
        self._count += 1
        pair = schema_pair(test, self._number, self._count)
        self._session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(pair.source)))
        return pair

    def drop(self, pair: SchemaPair) -> None:
        """Remove both schemas with all they hold."""
        for schema in (pair.source, pair.destination):
            _drop(self._session, schema)

    def keep(self, pair: SchemaPair) -> None:
        """Mark both schemas, where they exist, so that no later run removes them as orphans."""
        for (schema,) in self._session.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname = ANY(%s)", ([pair.source, pair.destination],)
        ).fetchall():
            comment = sql.SQL("COMMENT ON SCHEMA {} IS {}").format(sql.Identifier(schema), sql.Literal(_KEPT))
            self._session.execute(comment)

    def drop_orphans(self) -> tuple[str, ...]:
        """Remove the schemas and databases of owners that died and give their names.

        Leaves kept schemas, and all that are not ours.
        """
        dropped = []
        query = "SELECT nspname FROM pg_namespace WHERE obj_description(oid, 'pg_namespace') IS DISTINCT FROM %s"
        for (schema,) in self._session.execute(query, (_KEPT,)).fetchall():
            owner = owner_of(schema)
            if owner is not None and owner != self._number and _try_lock(self._session, owner):
                _drop(self._session, schema)
                self._session.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCK_CLASS, _signed(owner)))
                dropped.append(schema)
        for (database,) in self._session.execute("SELECT datname FROM pg_database").fetchall():
            owner = owner_of(database)
            if owner is not None and owner != self._number and _try_lock(self._session, owner):
                drop_database(self._session, database)
                self._session.execute("SELECT pg_advisory_unlock(%s, %s)", (_LOCK_CLASS, _signed(owner)))
                dropped.append(database)
        return tuple(dropped)


def drop_database(session: psycopg.Connection, name: str) -> None:
    """Remove a database, whoever is connected to it."""
    # Sessions take a moment to end, also those that were closed. The server would look for them again only after a
    # tenth of a second, and each test that has a database would wait for it.
    deadline = time.monotonic() + _ENDING_S
    while session.execute(_END_SESSIONS, (name,)).fetchone() != (0,) and time.monotonic() < deadline:
        time.sleep(_ENDING_POLL_S)
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _drop(session: psycopg.Connection, schema: str) -> None:
    session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(schema)))
    if session.execute("SELECT to_regclass('_rapidbyte.receipts') IS NOT NULL").fetchone() == (True,):
        session.execute("DELETE FROM _rapidbyte.receipts WHERE target_schema = %s", (schema,))


def _try_lock(session: psycopg.Connection, owner: int) -> bool:
    row = session.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK_CLASS, _signed(owner))).fetchone()
    assert row is not None
    taken: bool = row[0]
    return taken


def _signed(number: int) -> int:
    """Fold 32 bits into the range of a Postgres integer."""
    return number - (1 << 31)
