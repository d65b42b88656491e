"""What becomes of rows that a connector cannot move: dropped, or kept in the dead-letter queue, and always counted.

A connector waits until a row is kept, so that nothing is committed whose rejected rows could still be lost. What an
attempt rejected and no commit covers is rejected again by the next one, so it is then forgotten, and counted there.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from rapidbyte.engine.resumption import Receipt, is_repeated
from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Rejection
from rapidbyte.model import DataErrorPolicy, StreamSpec
from rapidbyte.state import DeadLetter, DlqStore, LastCommit, RejectedAt, Uncommitted


class Rejects:
    """The rejected rows of a run's streams. Safe for threads."""

    def __init__(self, pipeline: str, run_id: str, specs: tuple[StreamSpec, ...], queue: DlqStore) -> None:
        self._pipeline = pipeline
        self._run_id = run_id
        self._specs = specs
        self._queue = queue
        self._counts: dict[int, Counter[tuple[RejectedAt, int]]] = {}  # by what was moved before the row
        self._earlier: Counter[int] = Counter()
        self._base: dict[int, Receipt | None] = {}
        self._repeated: dict[int, str] = {}
        self._lock = threading.Lock()

    def begin(self, stream: int, receipt: Receipt | None, *, has_receipts: bool) -> None:
        """Start an attempt at a stream, of which the destination has `receipt`. Raises StateError."""
        name = self._specs[stream].name
        if has_receipts:
            self._queue.settle(self._pipeline, name, _last_commit(receipt))
        else:
            self._queue.withdraw(self._pipeline, name, self._run_id)
        with self._lock:
            counts = self._counts.pop(stream, Counter())
            self._earlier[stream] += sum(
                count for (_, after_bytes), count in counts.items() if self._is_covered(after_bytes, receipt)
            )
            self._base[stream] = receipt
            if receipt is not None and is_repeated(receipt, self._specs[stream], self._run_id):
                self._repeated[stream] = receipt.run_id

    def complete(self, stream: int) -> None:
        """Note that a stream is moved to its end: what was rejected of it is left out for good. Raises StateError."""
        repeated = self._repeated.get(stream)
        self._queue.confirm(self._pipeline, self._specs[stream].name, self._run_id, repeated)

    def count(self, stream: int, rejected_at: RejectedAt) -> int:
        """Return how many rows of a stream a stage has rejected in the present attempt."""
        with self._lock:
            counts = self._counts.get(stream, Counter())
            return sum(count for (stage, _), count in counts.items() if stage is rejected_at)

    def earlier(self, stream: int) -> int:
        """Return how many rows of a stream earlier attempts of the run have rejected and left out for good."""
        return self._earlier[stream]

    def listener(
        self, stream: int, rejected_at: RejectedAt, moved_bytes: Callable[[], int]
    ) -> Callable[[Rejection], None]:
        """Return what takes the rows that one stage rejects.

        `moved_bytes` tells how much of the stream the run has moved before the row: a commit that covers the row is one
        of more. The listener raises StateError or DeadLettersFullError when a row cannot be kept.
        """

        def take(rejection: Rejection) -> None:
            if rejection.stream != stream or self._specs[stream].on_data_error is DataErrorPolicy.FAIL:
                raise FrameError(f"No row of stream {rejection.stream} can be rejected now.", ErrorInfo("bad_state"))
            after_bytes = moved_bytes()
            if self._specs[stream].on_data_error is DataErrorPolicy.DLQ:
                letter = self._letter(rejection, rejected_at, self._uncommitted(stream, after_bytes))
                self._queue.put((letter,), datetime.now(UTC))
            with self._lock:
                self._counts.setdefault(stream, Counter())[rejected_at, after_bytes] += 1

        return take

    def _is_covered(self, after_bytes: int, receipt: Receipt | None) -> bool:
        if receipt is None or receipt.run_id != self._run_id:
            return False
        return receipt.is_complete or after_bytes < receipt.size_bytes

    def _uncommitted(self, stream: int, after_bytes: int) -> Uncommitted:
        base = self._base.get(stream)
        return Uncommitted(after_bytes, None if base is None else base.run_id)

    def _letter(self, rejection: Rejection, rejected_at: RejectedAt, uncommitted: Uncommitted) -> DeadLetter:
        return DeadLetter(
            pipeline=self._pipeline,
            stream=self._specs[rejection.stream].name,
            run_id=self._run_id,
            rejected_at=rejected_at,
            category=rejection.category,
            code=rejection.code,
            reasons=rejection.reasons,
            row=rejection.row,
            unreadable=rejection.unreadable,
            uncommitted=uncommitted,
        )


def _last_commit(receipt: Receipt | None) -> LastCommit | None:
    return None if receipt is None else LastCommit(receipt.run_id, receipt.size_bytes, receipt.is_complete)
