"""Dead letters on their way back: claimed by a replay, then replayed by the commit that holds their rows, or not.

A replay claims some letters under an id of its own, and its destination keeps that id in the transaction of the rows.
So what a replay left that nobody saw end is decided by the receipt: those that it claimed and committed are replayed,
and all others wait as before.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from rapidbyte.errors import Category
from rapidbyte.state.database import Database, stamp
from rapidbyte.state.dead_letter import RejectedAt


class ReplayStore:
    """The letters in a database; safe to use from several threads. Every method raises StateError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def streams(self, pipeline: str) -> tuple[str, ...]:
        """Return the streams of a pipeline that have letters which wait, sorted."""
        with self._database.transaction() as statements:
            found = statements.run(
                "SELECT DISTINCT stream FROM dead_letters WHERE pipeline = ? AND replayed_at IS NULL", (pipeline,)
            )
        return tuple(sorted(row["stream"] for row in found.rows))

    def claim(self, letter_ids: Sequence[int], replay_id: str) -> frozenset[int]:
        """Take letters for a replay, and return those that still wait."""
        claim = "UPDATE dead_letters SET replay_id = ? WHERE letter_id = ? AND replayed_at IS NULL"
        with self._database.transaction() as statements:
            return frozenset(
                letter_id for letter_id in letter_ids if statements.run(claim, (replay_id, letter_id)).count
            )

    def reject(self, letter_id: int, category: Category, code: str, reasons: Sequence[str]) -> None:
        """Note why the destination refuses a letter's row again; the letter waits, and its replay has it no longer."""
        with self._database.transaction() as statements:
            statements.run(
                "UPDATE dead_letters SET stage = ?, category = ?, code = ?, reasons = ?, replay_id = NULL "
                "WHERE letter_id = ?",
                (RejectedAt.DESTINATION.value, category.value, code, json.dumps(list(reasons)), letter_id),
            )

    def settle(self, pipeline: str, stream: str, committed: str | None, now: datetime) -> int:
        """End all replays of a stream, of which `committed` came to its commit; return how many letters it replayed."""
        claimed = "pipeline = ? AND stream = ? AND replay_id"
        with self._database.transaction() as statements:
            replayed = statements.run(
                f"UPDATE dead_letters SET replayed_at = ?, replay_id = NULL WHERE {claimed} = ?",
                (stamp(now), pipeline, stream, committed),
            )
            statements.run(f"UPDATE dead_letters SET replay_id = NULL WHERE {claimed} IS NOT NULL", (pipeline, stream))
        return replayed.count
