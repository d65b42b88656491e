"""State in a file of SQLite, which several threads and processes may use at a time."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from rapidbyte.errors import ErrorInfo, StateError
from rapidbyte.state.database import Answer, Statements
from rapidbyte.state.opening import open_database, translated


class SqliteDatabase:
    """An open state file."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, making it and its directories if they are not there.

        Raises StateError with code `state_unwritable`, `state_too_new`, `state_corrupt`, `state_foreign` or
        `state_busy`.
        """
        return cls(path, open_database(path))

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    @contextmanager
    def transaction(self) -> Iterator[Statements]:
        """Commit what the block did, or nothing if it raises. Raises StateError."""
        with self._lock, translated(self._path):
            connection = self._connection
            if connection is None:
                raise StateError(f"The state file {self._path} was closed. Open it again.", ErrorInfo("state_closed"))
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield _Transaction(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the file. Safe to repeat."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


class _Transaction:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def run(self, statement: str, values: Sequence[object] = ()) -> Answer:
        """Run one statement."""
        cursor = self._connection.execute(statement, tuple(values))
        rows = tuple(dict(row) for row in cursor.fetchall())
        return Answer(rows, cursor.rowcount)

    def run_for_each(self, statement: str, values: Sequence[Sequence[object]]) -> None:
        """Run one statement for each of `values`."""
        self._connection.executemany(statement, values)
