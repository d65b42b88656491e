"""What connectors keep from one run to the next: small values under names, changed by compare-and-swap.

Every value belongs to a pipeline: to all of it, to one of its streams, or to one of its connectors. None is a cursor:
those live in the destination, beside the rows that they cover.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rapidbyte.errors import ErrorInfo, StateError
from rapidbyte.model import StateScope
from rapidbyte.state.database import Database, Row, Statements, moment, stamp

MAX_VALUE_BYTES = 1024 * 1024
_KEY = "pipeline = ? AND scope = ? AND owner = ? AND name = ?"


@dataclass(frozen=True, slots=True)
class StateKey:
    """The name of a value; `owner` is a stream's or a connector's name, and empty for the pipeline itself."""

    pipeline: str
    scope: StateScope
    owner: str
    name: str


@dataclass(frozen=True, slots=True)
class KeptValue:
    """A value and when it was written."""

    key: StateKey
    value: bytes
    updated_at: datetime


class ConnectorState:
    """The values in a database; safe to use from several threads. Every method raises StateError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: StateKey) -> bytes | None:
        """Return the value, or None if there is none."""
        with self._database.transaction() as statements:
            return _value(statements, key)

    def put(self, key: StateKey, value: bytes, now: datetime) -> None:
        """Write the value, whatever was there. Raises StateError with code `too_large` over MAX_VALUE_BYTES."""
        _require_small(key, value)
        with self._database.transaction() as statements:
            _write(statements, key, value, now)

    def compare_and_swap(self, key: StateKey, expected: bytes | None, value: bytes | None, now: datetime) -> bool:
        """Write `value` if `expected` is there now, and return whether it was; None stands for no value.

        Raises StateError with code `too_large` over MAX_VALUE_BYTES.
        """
        if value is not None:
            _require_small(key, value)
        with self._database.transaction() as statements:
            if _value(statements, key) != expected:
                return False
            if value is None:
                statements.run(f"DELETE FROM connector_state WHERE {_KEY}", _parts(key))
            else:
                _write(statements, key, value, now)
            return True

    def list(self, pipeline: str | None = None) -> tuple[KeptValue, ...]:
        """Return all values, or those of one pipeline, sorted by their keys."""
        wanted, values = ("", ()) if pipeline is None else ("WHERE pipeline = ?", (pipeline,))
        with self._database.transaction() as statements:
            found = statements.run(f"SELECT * FROM connector_state {wanted}", values)
        kept = (_kept(row) for row in found.rows)
        return tuple(sorted(kept, key=lambda value: _parts(value.key)))

    def reset(self, pipeline: str, stream: str | None = None) -> int:
        """Forget all values of a pipeline, or those of one of its streams; return how many there were."""
        condition, values = "pipeline = ?", [pipeline]
        if stream is not None:
            condition, values = f"{condition} AND scope = ? AND owner = ?", [pipeline, StateScope.STREAM.value, stream]
        with self._database.transaction() as statements:
            return statements.run(f"DELETE FROM connector_state WHERE {condition}", values).count


def _value(statements: Statements, key: StateKey) -> bytes | None:
    found = statements.run(f"SELECT content FROM connector_state WHERE {_KEY}", _parts(key))
    return bytes(found.rows[0]["content"]) if found.rows else None


def _write(statements: Statements, key: StateKey, value: bytes, now: datetime) -> None:
    statements.run(
        "INSERT INTO connector_state (pipeline, scope, owner, name, content, updated_at) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (pipeline, scope, owner, name) "
        "DO UPDATE SET content = excluded.content, updated_at = excluded.updated_at",
        (*_parts(key), value, stamp(now)),
    )


def _parts(key: StateKey) -> tuple[str, str, str, str]:
    return (key.pipeline, key.scope.value, key.owner, key.name)


def _kept(row: Row) -> KeptValue:
    key = StateKey(row["pipeline"], StateScope(row["scope"]), row["owner"], row["name"])
    return KeptValue(key, bytes(row["content"]), moment(row["updated_at"]))


def _require_small(key: StateKey, value: bytes) -> None:
    if len(value) > MAX_VALUE_BYTES:
        raise StateError(
            f"The value {key.name} of {key.owner or key.pipeline} has {len(value)} bytes; a connector may keep at most "
            f"{MAX_VALUE_BYTES} under one name.",
            ErrorInfo("too_large"),
        )
