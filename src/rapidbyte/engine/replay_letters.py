"""Which dead letters can be replayed, and in which order they go together. Pure values.

The rows of a batch have one set of columns. What was rejected first goes first, so that of several rows with one key
the last one wins, as in a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from rapidbyte.model import DataErrorPolicy, Stream, StreamSpec, SyncMode, WriteMode
from rapidbyte.state import RejectedAt, StoredLetter

_MOST_LETTERS = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters that are replayed in one transaction: their columns, and the text of each value or None for NULL."""

    letter_ids: tuple[int, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    size_bytes: int


def as_replayed(spec: StreamSpec, stream: Stream) -> tuple[StreamSpec, Stream]:
    """Return how the letters of a stream are written: rows that fail stay letters, and nothing is replaced by them.

    Letters of several runs may have one key, which the source's primary key would rule out: it is only what to go by.
    """
    mode = WriteMode.APPEND if spec.write_mode is WriteMode.REPLACE else spec.write_mode
    key = spec.primary_key or stream.primary_key
    written = replace(spec, write_mode=mode, on_data_error=DataErrorPolicy.DLQ, primary_key=key)
    return written, replace(stream, primary_key=())


def reason_to_keep(
    stored: StoredLetter, spec: StreamSpec | None, stream: Stream | None, last_run_at: datetime | None
) -> str | None:
    """Say why a letter cannot be replayed, or return None.

    `stream` is what the source has today, None where it was not asked; `last_run_at` is when the last run of the
    pipeline began that came to its end.
    """
    letter = stored.letter
    if spec is None:
        return "the pipeline has no stream of this name any more"
    if letter.uncommitted is not None:
        return "its run did not come to the commit that leaves it out; run the pipeline, which reads the row again"
    if letter.rejected_at is RejectedAt.TRANSFORM:
        return "a transform rejected it, and has to see it again; run the pipeline where it reads the row again"
    if spec.sync_mode is SyncMode.CDC and spec.write_mode is WriteMode.UPSERT:
        return "it is a change, and later ones may have come; change the row at the source again, and delete the letter"
    if spec.write_mode is WriteMode.REPLACE and last_run_at is not None and stored.recorded_at < last_run_at:
        return "a run has replaced the table since, and has met the row again; delete the letter"
    unreadable = letter.unreadable or tuple(name for name, value in letter.row.items() if not _is_text(value))
    if unreadable or not letter.row:
        what = ", ".join(unreadable) or "the row"
        return f"the letter does not hold {what} as it was; mend the row at the source, and delete the letter"
    if stream is not None:
        moved = {column.name for column in stream.columns}
        gone = [name for name in letter.row if name not in moved]
        if gone:
            return f"the stream no longer has {', '.join(gone)}; move it again, or delete the letter"
    return None


def batches(letters: Iterable[StoredLetter], most_bytes: int) -> Iterator[Batch]:
    """Put letters that can be replayed together, in their order: of one set of columns, and not too many."""
    group: list[StoredLetter] = []
    size_bytes = 0
    for stored in letters:
        size = _size_bytes(stored)
        is_full = len(group) >= _MOST_LETTERS or size_bytes + size > most_bytes
        if group and (is_full or stored.letter.row.keys() != group[0].letter.row.keys()):
            yield _batch(group, size_bytes)
            group, size_bytes = [], 0
        group.append(stored)
        size_bytes += size
    if group:
        yield _batch(group, size_bytes)


def _batch(group: Sequence[StoredLetter], size_bytes: int) -> Batch:
    columns = tuple(group[0].letter.row)
    return Batch(
        letter_ids=tuple(stored.letter_id for stored in group),
        columns=columns,
        rows=tuple(tuple(stored.letter.row[name] for name in columns) for stored in group),
        size_bytes=size_bytes,
    )


def _size_bytes(stored: StoredLetter) -> int:
    return sum(len(value.encode("utf-8")) for value in stored.letter.row.values() if value is not None)


def _is_text(value: object) -> bool:
    """Tell whether a value is NULL, or text without what is no character."""
    return value is None or (isinstance(value, str) and not any("\ud800" <= char <= "\udfff" for char in value))
