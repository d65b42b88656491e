"""State in the schema `_rapidbyte_state` of a Postgres database, which any number of machines may share.

It needs a session of its own: not one that a pooler hands from transaction to transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from rapidbyte.errors import ErrorInfo, StateError
from rapidbyte.state.advisory import AdvisoryLocks
from rapidbyte.state.database import Answer, Database, Liveness, Statements
from rapidbyte.state.postgres_errors import read_conninfo, translated
from rapidbyte.state.postgres_migrations import MIGRATIONS, SCHEMA, VERSION

_BUSY_TIMEOUT_S = 10
_WRITER_LOCK = (0x72617069, 0x73746174)  # one transaction at a time, as with a file
_SETTINGS = f"""
    SET search_path = {SCHEMA}, pg_catalog; SET TimeZone = 'UTC'; SET lock_timeout = '{_BUSY_TIMEOUT_S}s';
    SET synchronous_commit = on; SET client_encoding = 'UTF8'
"""

Connection = psycopg.Connection[DictRow]


def open_postgres(connection: str) -> tuple[Database, Liveness]:
    """Connect, make or migrate the schema, and return what the stores need. `connection` is libpq's string or URI.

    Raises StateError, StateUnreachableError and StateDeniedError.
    """
    parts, place = read_conninfo(connection)
    with translated(place):
        database = PostgresDatabase(parts, place)
    alive = AdvisoryLocks(database.query)
    database.on_new_session = alive.hold_again
    return database, alive


class PostgresDatabase:
    """A session of the state's database. One that was lost is replaced when the next transaction begins."""

    def __init__(self, parts: dict[str, Any], place: str) -> None:
        self._parts = parts
        self._place = place
        self._lock = threading.RLock()
        self._is_closed = False
        self._session = _connected(parts, place)
        self.on_new_session: Callable[[], None] = lambda: None

    @property
    def place(self) -> str:
        """The database and its server, without a password."""
        return self._place

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Commit what the block did, or nothing if it raises. Raises StateError."""
        with self._lock, translated(self._place), ExitStack() as stack:
            self._require_open()
            try:
                self._begin(stack)
            except psycopg.OperationalError:
                if not self._session.broken:
                    raise
                self._session = _connected(self._parts, self._place)  # nothing was begun that could be lost
                self.on_new_session()
                self._begin(stack)
            yield _Transaction(self._session)

    def query(self, statement: str, values: Sequence[object]) -> Sequence[Any]:
        """Run one statement of the session itself and return its rows."""
        with self._lock, translated(self._place):
            self._require_open()
            return self._session.execute(statement, values).fetchall()

    def close(self) -> None:
        """End the session. Safe to repeat."""
        with self._lock:
            self._is_closed = True
            self._session.close()

    def _begin(self, stack: ExitStack) -> None:
        with ExitStack() as attempt:
            attempt.enter_context(self._session.transaction())
            self._session.execute("SELECT pg_advisory_xact_lock(%s, %s)", _WRITER_LOCK)
            stack.push(attempt.pop_all())

    def _require_open(self) -> None:
        if self._is_closed:
            raise StateError(f"The state in the {self._place} was closed. Open it again.", ErrorInfo("state_closed"))


class _Transaction:
    def __init__(self, session: Connection) -> None:
        self._session = session

    def run(self, statement: str, values: Sequence[object] = ()) -> Answer:
        """Run one statement."""
        cursor = self._session.execute(statement.replace("?", "%s"), values)
        return Answer(tuple(cursor.fetchall()) if cursor.description else (), cursor.rowcount)

    def run_for_each(self, statement: str, values: Sequence[Sequence[object]]) -> None:
        """Run one statement for each of `values`."""
        with self._session.cursor() as cursor:
            cursor.executemany(statement.replace("?", "%s"), values)


def _connected(parts: dict[str, Any], place: str) -> Connection:
    session = psycopg.connect(**parts, autocommit=True, row_factory=dict_row)
    try:
        session.execute(_SETTINGS)
        _migrate(session, place)
    except BaseException:
        session.close()
        raise
    return session


def _migrate(session: Connection, place: str) -> None:
    """Bring the schema to VERSION in one transaction; another process that does the same is waited for."""
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(%s, %s)", _WRITER_LOCK)
        version = _version_of(session, place)
        if version > VERSION:
            raise StateError(
                f"The state in the {place} was written by a newer rapidbyte (format {version}, here {VERSION}). "
                "Upgrade rapidbyte, or name another database in state.connection.",
                ErrorInfo("state_too_new"),
            )
        for number in range(version, VERSION):
            for statement in MIGRATIONS[number]:
                session.execute(statement)
        if version < VERSION:
            session.execute("UPDATE state_format SET version = %s", (VERSION,))


def _version_of(session: Connection, place: str) -> int:
    """Return how many migrations the schema has been through, after making it if there is none."""
    if not session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (SCHEMA,)).fetchall():
        session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(SCHEMA)))
        session.execute("CREATE TABLE state_format (version integer NOT NULL)")
        session.execute("INSERT INTO state_format VALUES (0)")
    elif not session.execute("SELECT 1 WHERE to_regclass(%s) IS NOT NULL", (f"{SCHEMA}.state_format",)).fetchall():
        raise StateError(
            f"The schema {SCHEMA} in the {place} is not rapidbyte's. Name another database in state.connection.",
            ErrorInfo("state_foreign"),
        )
    (row,) = session.execute("SELECT version FROM state_format").fetchall()
    version: int = row["version"]
    return version
