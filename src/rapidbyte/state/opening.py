"""How a state file is opened, and what its failures mean to its owner."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rapidbyte.errors import ErrorInfo, StateError
from rapidbyte.state.migrations import VERSION, migrate, version_of

_BUSY_TIMEOUT_S = 10.0
_APPLICATION_ID = 0x52427974  # "RByt": marks a database as ours
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_ELSEWHERE = "or name another file in state.connection"


def open_database(path: Path) -> sqlite3.Connection:
    """Return a connection to the file at `path`, made or brought to the current version where needed.

    Waits at most 10 s for other processes. Raises StateError.
    """
    with translated(path), _opening_lock(path):
        # Used by several threads, one at a time: SqliteDatabase sees to that.
        connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
        try:
            connection.row_factory = sqlite3.Row
            _check_owner(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")  # a rejected row is durable before its cursor moves on
            migrate(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into StateErrors that name the remedy."""
    try:
        yield
    except sqlite3.Error as error:
        raise _state_error(path, error) from error
    except (FileExistsError, NotADirectoryError) as error:
        raise _unwritable(path, f"{path.parent} is not a directory") from error
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from error


@contextmanager
def _opening_lock(path: Path) -> Iterator[None]:
    """Let one process at a time make and migrate the file: SQLite's own waiting does not cover the switch to WAL."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path.with_name(f"{path.name}-lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    elif connection.execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
        message = f"{path} is a database of another program. Name another file in state.connection."
        raise StateError(message, ErrorInfo("state_foreign"))
    version = version_of(connection)
    if version > VERSION:
        message = (
            f"The state file {path} was written by a newer rapidbyte (format {version}, here {VERSION}). "
            f"Upgrade rapidbyte, {_ELSEWHERE}."
        )
        raise StateError(message, ErrorInfo("state_too_new"))


def _state_error(path: Path, error: sqlite3.Error) -> StateError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the high bits say more than a user can act on
    if code == sqlite3.SQLITE_NOTADB:
        message = (
            f"{path} is not a state file. Name another file in state.connection; or, if it was one and is damaged, "
            "move it away and a new one is made: it holds the history of runs and rejected rows, never a cursor."
        )
        return StateError(message, ErrorInfo("state_corrupt"))
    if code == sqlite3.SQLITE_CORRUPT:
        message = (
            f"The state file {path} is damaged ({error}). It holds the history of runs and rejected rows, never a "
            f"cursor: move it away and a new one is made, {_ELSEWHERE}."
        )
        return StateError(message, ErrorInfo("state_corrupt"))
    if code in _BUSY:
        message = f"The state file {path} was in use for {_BUSY_TIMEOUT_S:.0f} s. Try again when other runs have ended."
        return StateError(message, ErrorInfo("state_busy", retryable=True))
    return _unwritable(path, str(error))


def _unwritable(path: Path, reason: str) -> StateError:
    message = f"The state file {path} cannot be written: {reason}. Make it writable, {_ELSEWHERE}."
    return StateError(message, ErrorInfo("state_unwritable"))
