"""Whether the process of a run still lives, told by Postgres: each run holds an advisory lock of its session.

The server gives the lock back when the session ends, and the session ends with its process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

_HELD = """
    SELECT 1 FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND classid = %s::bigint::oid AND objid = %s::bigint::oid
        AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""

Query = Callable[[str, Sequence[object]], Sequence[Any]]


class AdvisoryLocks:
    """The marks of runs on the session that `query` runs statements on, returning their rows."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._held: set[str] = set()

    def hold(self, run_id: str) -> None:
        """Mark the run as alive until `release` or the end of the session."""
        self._query("SELECT pg_advisory_lock(%s)", (_number(run_id),))
        self._held.add(run_id)

    def hold_again(self) -> None:
        """Mark all runs anew, on a session that took the place of a lost one."""
        for run_id in self._held:
            self._query("SELECT pg_advisory_lock(%s)", (_number(run_id),))

    def release(self, run_id: str) -> None:
        """Take the mark away, if this object set it."""
        if run_id in self._held:
            self._held.remove(run_id)
            self._query("SELECT pg_advisory_unlock(%s)", (_number(run_id),))

    def is_held(self, run_id: str) -> bool:
        """Return whether any session marks the run."""
        number = _number(run_id) % 2**64
        return run_id in self._held or bool(self._query(_HELD, (number >> 32, number % 2**32)))

    def close(self) -> None:
        """Leave the marks to the end of the session, which comes next."""
        self._held.clear()


def _number(run_id: str) -> int:
    return int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8], "big", signed=True)
