"""What the stores ask of a database, which is a file of SQLite or a schema of Postgres.

Statements are written once, in the SQL that both know, with `?` for each value. A transaction is alone: it waits for
those of other threads and processes, and sees all that they have written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

Row = Mapping[str, Any]  # by the names of the columns


@dataclass(frozen=True, slots=True)
class Answer:
    """The rows of a query, and how many rows a statement touched."""

    rows: tuple[Row, ...]
    count: int


class Statements(Protocol):
    """A transaction that is open."""

    def run(self, statement: str, values: Sequence[object] = ()) -> Answer:
        """Run one statement."""

    def run_for_each(self, statement: str, values: Sequence[Sequence[object]]) -> None:
        """Run one statement for each of `values`."""


class Database(Protocol):
    """An open database of state. `place` names it for people, without a secret."""

    @property
    def place(self) -> str: ...

    def transaction(self) -> AbstractContextManager[Statements]:
        """Commit what the block did, or nothing if it raises. Raises StateError."""

    def close(self) -> None:
        """End the use of the database. Safe to repeat."""


class Liveness(Protocol):
    """Which runs have a process that lives: what marks a run goes away with its process, however that ends."""

    def hold(self, run_id: str) -> None:
        """Mark the run as alive."""

    def release(self, run_id: str) -> None:
        """Take the mark of a run away, if this object set it."""

    def is_held(self, run_id: str) -> bool:
        """Return whether any living process marks the run."""

    def close(self) -> None:
        """Take all marks of this object away. Safe to repeat."""


def stamp(moment: datetime) -> str:
    """Return a moment as both databases take it, and as SQLite sorts it."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def storable(text: str) -> str:
    """Return `text` as both databases can hold it: what is no character, or a zero, is escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def moment(value: str | datetime) -> datetime:
    """Return the moment that a column holds: SQLite keeps text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)
