"""A row that could not be moved, as the dead-letter queue keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rapidbyte.errors import Category
from rapidbyte.model import JsonObject


class RejectedAt(Enum):
    """The stage that refused a row."""

    SOURCE = "source"
    TRANSFORM = "transform"
    DESTINATION = "destination"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected row and why.

    `row` holds its values by column, those that JSON has no form for as text. `raw` is the row as its source printed
    it, where that is known; bytes that are not UTF-8 are in it as surrogates (PEP 383). `position` tells the row from
    all others of its run and stream, and is None where nothing does.
    """

    pipeline: str
    stream: str
    run_id: str
    rejected_at: RejectedAt
    category: Category
    code: str
    reasons: tuple[str, ...]
    row: JsonObject
    raw: str | None = None
    position: str | None = None


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter in the queue; `replayed_at` is None while it waits."""

    letter_id: int
    letter: DeadLetter
    recorded_at: datetime
    replayed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant; None leaves a part open."""

    pipeline: str | None = None
    stream: str | None = None
    run_id: str | None = None
    is_waiting: bool | None = None
