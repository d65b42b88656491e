"""The dead-letter queue: rejected rows, durable once `put` returns, bounded, and never dropped without a word."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from rapidbyte.errors import Category, DeadLettersFullError, ErrorInfo
from rapidbyte.state.database import Database, Row, Statements, moment, stamp
from rapidbyte.state.dead_letter import DeadLetter, LastCommit, RejectedAt, Selection, StoredLetter, Uncommitted

_ALL = Selection()
_COLUMNS = (
    "pipeline, stream, run_id, stage, category, code, reasons, content, raw, unreadable, after_bytes, base_run_id, "
    "recorded_at"
)
_PLACES = ", ".join("?" for _ in _COLUMNS.split(","))
_UNCOMMITTED = "WHERE after_bytes IS NOT NULL"
_CONFIRM = "UPDATE dead_letters SET after_bytes = NULL, base_run_id = NULL"


class DlqStore:
    """The letters in a database; safe to use from several threads. Every method raises StateError."""

    def __init__(self, database: Database, max_waiting: int) -> None:
        self._database = database
        self._max_waiting = max_waiting

    def put(self, letters: Sequence[DeadLetter], recorded_at: datetime) -> None:
        """Store letters of one pipeline, all or none; they are durable when this returns.

        Replayed letters of the pipeline give way where there is no room. Raises DeadLettersFullError when more letters
        would wait than may.
        """
        if not letters:
            return
        pipeline = letters[0].pipeline
        with self._database.transaction() as statements:
            statements.run_for_each(
                f"INSERT INTO dead_letters ({_COLUMNS}) VALUES ({_PLACES})",
                [_values(letter, recorded_at) for letter in letters],
            )
            if _count(statements, pipeline) > self._max_waiting:
                statements.run("DELETE FROM dead_letters WHERE pipeline = ? AND replayed_at IS NOT NULL", (pipeline,))
                waiting = _count(statements, pipeline)
                if waiting > self._max_waiting:
                    raise self._full(pipeline, waiting - self._max_waiting)

    def list(self, wanted: Selection = _ALL, limit: int = 100, after: int = 0) -> tuple[StoredLetter, ...]:
        """Return letters in the order in which they came, from the first whose id is greater than `after`."""
        condition, values = _condition(wanted)
        with self._database.transaction() as statements:
            found = statements.run(
                f"SELECT * FROM dead_letters WHERE {condition} AND letter_id > ? ORDER BY letter_id LIMIT ?",
                (*values, after, limit),
            )
        return tuple(_stored(row) for row in found.rows)

    def ids(self, wanted: Selection = _ALL, limit: int = 100, after: int = 0) -> tuple[int, ...]:
        """Return the ids of letters, as `list` does the letters."""
        condition, values = _condition(wanted)
        with self._database.transaction() as statements:
            found = statements.run(
                f"SELECT letter_id FROM dead_letters WHERE {condition} AND letter_id > ? ORDER BY letter_id LIMIT ?",
                (*values, after, limit),
            )
        return tuple(row["letter_id"] for row in found.rows)

    def count(self, wanted: Selection = _ALL) -> int:
        """Return how many letters there are."""
        condition, values = _condition(wanted)
        with self._database.transaction() as statements:
            found = statements.run(f"SELECT count(*) AS number FROM dead_letters WHERE {condition}", values)
        number: int = found.rows[0]["number"]
        return number

    def get(self, letter_id: int) -> StoredLetter | None:
        """Return one letter, or None if there is none of this id."""
        with self._database.transaction() as statements:
            found = statements.run("SELECT * FROM dead_letters WHERE letter_id = ?", (letter_id,))
        return _stored(found.rows[0]) if found.rows else None

    def settle(self, pipeline: str, stream: str, last: LastCommit | None) -> None:
        """Decide on the letters of a stream whose commit nobody saw, by the destination's receipt, or that it has none.

        Those whose row a commit has left out stay. Those whose run committed nothing more go: their rows are read
        again. Where another run has committed since, nothing tells, and they stay.
        """
        of_stream = f"{_UNCOMMITTED} AND pipeline = ? AND stream = ?"
        with self._database.transaction() as statements:
            if last is None:
                statements.run(f"DELETE FROM dead_letters {of_stream} AND base_run_id IS NULL", (pipeline, stream))
            else:
                covered = "run_id = ? AND (after_bytes < ? OR ? = 1)"
                facts = (last.run_id, last.size_bytes, int(last.is_complete))
                statements.run(f"{_CONFIRM} {of_stream} AND {covered}", (pipeline, stream, *facts))
                statements.run(
                    f"DELETE FROM dead_letters {of_stream} AND (run_id = ? OR base_run_id = ?)",
                    (pipeline, stream, last.run_id, last.run_id),
                )
            statements.run(f"{_CONFIRM} {of_stream}", (pipeline, stream))

    def withdraw(self, pipeline: str, stream: str, run_id: str) -> None:
        """Remove a run's letters of a stream that no commit covers: it begins with the stream anew."""
        with self._database.transaction() as statements:
            statements.run(
                f"DELETE FROM dead_letters {_UNCOMMITTED} AND pipeline = ? AND stream = ? AND run_id = ?",
                (pipeline, stream, run_id),
            )

    def confirm(self, pipeline: str, stream: str, run_id: str, repeated_run_id: str | None) -> None:
        """Note that a run has moved a stream to its end, and what it repeated of a run that did not come to its end."""
        of_run = "pipeline = ? AND stream = ? AND run_id = ?"
        with self._database.transaction() as statements:
            statements.run(f"{_CONFIRM} {_UNCOMMITTED} AND {of_run}", (pipeline, stream, run_id))
            if repeated_run_id is not None:
                statements.run(
                    f"DELETE FROM dead_letters WHERE replayed_at IS NULL AND {of_run}",
                    (pipeline, stream, repeated_run_id),
                )

    def delete(self, letter_ids: Sequence[int]) -> int:
        """Remove letters for good; return how many there were."""
        return self._for_each(
            "DELETE FROM dead_letters WHERE letter_id = ?", [(letter_id,) for letter_id in letter_ids]
        )

    def delete_all(self, wanted: Selection) -> int:
        """Remove all selected letters for good; return how many there were."""
        condition, values = _condition(wanted)
        with self._database.transaction() as statements:
            return statements.run(f"DELETE FROM dead_letters WHERE {condition}", values).count

    def _for_each(self, statement: str, values: Sequence[tuple[object, ...]]) -> int:
        with self._database.transaction() as statements:
            return sum(statements.run(statement, value).count for value in values)

    def _full(self, pipeline: str, surplus: int) -> DeadLettersFullError:
        return DeadLettersFullError(
            f"The dead-letter queue of pipeline {pipeline} is full: {self._max_waiting} rows may wait in "
            f"{self._database.place}, and {surplus} more were rejected. See why with `rapidbyte dlq list`, then replay "
            "or delete them, or raise state.max_dead_letters.",
            ErrorInfo("dlq_full", details=(("pipeline", pipeline),)),
        )


def _count(statements: Statements, pipeline: str) -> int:
    found = statements.run("SELECT count(*) AS number FROM dead_letters WHERE pipeline = ?", (pipeline,))
    number: int = found.rows[0]["number"]
    return number


def _condition(wanted: Selection) -> tuple[str, tuple[object, ...]]:
    """Return what follows WHERE, and its values."""
    named = (("pipeline", wanted.pipeline), ("stream", wanted.stream), ("run_id", wanted.run_id))
    parts = [(f"{column} = ?", value) for column, value in named if value is not None]
    text = " AND ".join(("1 = 1", *(condition for condition, _ in parts)))
    if wanted.is_waiting is not None:
        text += f" AND replayed_at IS {'' if wanted.is_waiting else 'NOT '}NULL"
    return text, tuple(value for _, value in parts)


def _values(letter: DeadLetter, recorded_at: datetime) -> tuple[object, ...]:
    """Return the values of _COLUMNS."""
    raw = None if letter.raw is None else letter.raw.encode("utf-8", "surrogateescape")
    uncommitted = letter.uncommitted
    return (
        letter.pipeline,
        letter.stream,
        letter.run_id,
        letter.rejected_at.value,
        letter.category.value,
        letter.code,
        json.dumps(letter.reasons),
        json.dumps(dict(letter.row), allow_nan=False),
        raw,
        json.dumps(letter.unreadable),
        None if uncommitted is None else uncommitted.after_bytes,
        None if uncommitted is None else uncommitted.base_run_id,
        stamp(recorded_at),
    )


def _stored(row: Row) -> StoredLetter:
    raw, replayed_at, after_bytes = row["raw"], row["replayed_at"], row["after_bytes"]
    letter = DeadLetter(
        pipeline=row["pipeline"],
        stream=row["stream"],
        run_id=row["run_id"],
        rejected_at=RejectedAt(row["stage"]),
        category=Category(row["category"]),
        code=row["code"],
        reasons=tuple(json.loads(row["reasons"])),
        row=json.loads(row["content"]),
        raw=None if raw is None else bytes(raw).decode("utf-8", "surrogateescape"),
        unreadable=tuple(json.loads(row["unreadable"])),
        uncommitted=None if after_bytes is None else Uncommitted(after_bytes, row["base_run_id"]),
    )
    return StoredLetter(
        row["letter_id"],
        letter,
        moment(row["recorded_at"]),
        None if replayed_at is None else moment(replayed_at),
        row["replay_id"],
    )
