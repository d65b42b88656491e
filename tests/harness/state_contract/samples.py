"""What the tests of a state put into it: moments, and a rejected row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rapidbyte.errors import Category
from rapidbyte.state import DeadLetter, RejectedAt, State, Uncommitted

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
END = START + timedelta(seconds=2)
LETTER = DeadLetter(
    pipeline="nightly",
    stream="users",
    run_id="r1",
    rejected_at=RejectedAt.DESTINATION,
    category=Category.DATA,
    code="23502",
    reasons=('null value in column "name"', "größe \0 東京 \ud800"),
    row={"id": 7, "name": None, "note": "a\0b \U0001f680", "tags": ["x", {"y": 1.5}]},
    raw="7\t\\N\t\udcff",
    unreadable=("note",),
    uncommitted=Uncommitted(4096, "r0"),
)


def replay(state: State, letter_id: int) -> None:
    """Note that a letter was replayed."""
    stored = state.dead_letters.get(letter_id)
    assert stored is not None
    state.replays.claim([letter_id], "a replay")
    assert state.replays.settle(stored.letter.pipeline, stored.letter.stream, "a replay", END) == 1
