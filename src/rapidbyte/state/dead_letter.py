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
class Uncommitted:
    """Which commit leaves the row out: the first of its run that has moved more than `after_bytes` of the stream.

    `base_run_id` is the run whose receipt the stream had before, or None where it had none.
    """

    after_bytes: int
    base_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class LastCommit:
    """What a destination's receipt says of a stream: who committed last, how much of it, and whether to its end."""

    run_id: str
    size_bytes: int
    is_complete: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One rejected row and why.

    `row` holds its values by column, those that JSON has no form for as text; `unreadable` names the columns whose
    value is not there, was cut, or is no text that could be read back. `raw` is the row as its source printed it, where
    that is known; bytes that are not UTF-8 are in it as surrogates (PEP 383). `uncommitted` is None once a commit has
    left the row out: until then the row is still to be read, and a run that meets it again has a letter of its own.
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
    unreadable: tuple[str, ...] = ()
    uncommitted: Uncommitted | None = None


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter in the queue; `replayed_at` is None while it waits, `replay_id` names the replay that tries it now."""

    letter_id: int
    letter: DeadLetter
    recorded_at: datetime
    replayed_at: datetime | None = None
    replay_id: str | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters are meant; None leaves a part open."""

    pipeline: str | None = None
    stream: str | None = None
    run_id: str | None = None
    is_waiting: bool | None = None
