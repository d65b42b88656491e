"""The state of pipelines, opened where a pipeline says: the runs, the dead letters, what connectors keep."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from rapidbyte.errors import ErrorInfo, StateError
from rapidbyte.model import StateBackend, StateSpec
from rapidbyte.state.connector_state import ConnectorState
from rapidbyte.state.database import Database, Liveness
from rapidbyte.state.dead_letters import DlqStore
from rapidbyte.state.liveness import RunLocks
from rapidbyte.state.location import default_path
from rapidbyte.state.replays import ReplayStore
from rapidbyte.state.runs import RunStore
from rapidbyte.state.sqlite import SqliteDatabase

_POSTGRES = "rapidbyte.state.postgres"  # by name: it needs a driver that not everybody has


class State:
    """The stores over one open database. Use it through `with`, or call `close`."""

    def __init__(self, database: Database, alive: Liveness, max_dead_letters: int) -> None:
        self.runs = RunStore(database, alive)
        self.dead_letters = DlqStore(database, max_dead_letters)
        self.replays = ReplayStore(database)
        self.connectors = ConnectorState(database)
        self._database = database
        self._alive = alive

    @property
    def place(self) -> str:
        """Where the state is, for people."""
        return self._database.place

    def close(self) -> None:
        """End the use of the state. A run that was started and not ended counts as interrupted. Safe to repeat."""
        self._alive.close()
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_state(spec: StateSpec) -> State:
    """Open the state, making what is not there yet.

    Raises StateError: with code `state_driver_missing` when the backend is Postgres and its driver is not installed.
    """
    database, alive = _open_postgres(spec) if spec.backend is StateBackend.POSTGRES else _open_file(state_file(spec))
    return State(database, alive, spec.max_dead_letters)


def state_file(spec: StateSpec) -> Path:
    """Return the path of a SQLite state: the one that is named, or the user's own. Raises StateError."""
    try:
        return default_path(os.environ) if spec.connection is None else Path(spec.connection).expanduser()
    except RuntimeError as error:
        raise StateError(
            f"No directory for the state is known: {error} Set HOME, or state.connection to the path of a file.",
            ErrorInfo("state_no_home"),
        ) from error


def _open_file(path: Path) -> tuple[Database, Liveness]:
    return SqliteDatabase.open(path), RunLocks(path.with_name(f"{path.name}-live"))


def _open_postgres(spec: StateSpec) -> tuple[Database, Liveness]:
    try:
        postgres = importlib.import_module(_POSTGRES)
    except ImportError as error:
        raise StateError(
            f"state.backend postgres needs the driver psycopg, which cannot be loaded ({error}). "
            "Install it with: pip install 'rapidbyte[postgres]'",
            ErrorInfo("state_driver_missing"),
        ) from error
    opened: tuple[Database, Liveness] = postgres.open_postgres(spec.connection or "")
    return opened
