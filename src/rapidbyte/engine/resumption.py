"""What a receipt means for the next attempt at a stream. Pure values.

A destination writes the receipt of a stream in the transaction of its rows, so it says what is durable, whatever
became of the process that wrote it: an attempt whose commit nobody saw succeed, or a run that was killed.
"""

from __future__ import annotations

from dataclasses import dataclass

from rapidbyte.model import JsonObject, StreamSpec, SyncMode, WriteMode


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is durable of a stream: where its source can go on, and what the run `run_id` moved of it."""

    run_id: str
    position: JsonObject | None
    rows: int
    size_bytes: int
    is_complete: bool  # the run moved this stream to its end
    is_finished: bool  # and all of its streams


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a stream goes on: from `position`, unless it `is_done`; `rows` and `size_bytes` this run moved before."""

    position: JsonObject | None = None
    is_done: bool = False
    rows: int = 0
    size_bytes: int = 0


def resume(receipt: Receipt | None, spec: StreamSpec, run_id: str) -> Resumption:
    """Decide how a stream goes on in the run `run_id`.

    What a run moved to the end it does not move again. A full refresh that appends is not repeated either as long as
    the run that made it has not moved all of its streams: the next run carries that one on.
    """
    if receipt is None:
        return Resumption()
    is_ours = receipt.run_id == run_id
    if is_ours and receipt.is_complete:
        return Resumption(is_done=True, rows=receipt.rows, size_bytes=receipt.size_bytes)
    if spec.sync_mode is SyncMode.FULL_REFRESH:
        is_carried_on = receipt.is_complete and not receipt.is_finished and spec.write_mode is WriteMode.APPEND
        return Resumption(is_done=is_carried_on)
    if is_ours:
        return Resumption(receipt.position, rows=receipt.rows, size_bytes=receipt.size_bytes)
    return Resumption(receipt.position)


def is_repeated(receipt: Receipt, spec: StreamSpec, run_id: str) -> bool:
    """Tell whether the run `run_id` moves all of a stream again that a run moved which did not come to its end."""
    is_left = receipt.run_id != run_id and receipt.is_complete and not receipt.is_finished
    return is_left and spec.sync_mode is SyncMode.FULL_REFRESH and spec.write_mode is not WriteMode.APPEND
