"""What becomes of rows that a connector cannot move: dropped, or kept in the dead-letter queue, and always counted.

A connector waits until a row is kept, so that nothing is committed whose rejected rows could still be lost.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Rejection
from rapidbyte.model import DataErrorPolicy, StreamSpec
from rapidbyte.state import DeadLetter, DlqStore, RejectedAt


class Rejects:
    """The rejected rows of a run's streams. Safe for threads."""

    def __init__(self, pipeline: str, run_id: str, specs: tuple[StreamSpec, ...], queue: DlqStore) -> None:
        self._pipeline = pipeline
        self._run_id = run_id
        self._specs = specs
        self._queue = queue
        self._counts: Counter[tuple[int, RejectedAt]] = Counter()
        self._seen: Counter[tuple[int, str]] = Counter()
        self._lock = threading.Lock()

    def begin(self, stream: int) -> None:
        """Start an attempt at a stream: what was rejected before and is not durable will be rejected again."""
        with self._lock:
            self._counts = Counter({key: count for key, count in self._counts.items() if key[0] != stream})
            self._seen = Counter({key: count for key, count in self._seen.items() if key[0] != stream})

    def count(self, stream: int, rejected_at: RejectedAt) -> int:
        """Return how many rows of a stream a stage has rejected in the present attempt."""
        return self._counts[stream, rejected_at]

    def listener(self, stream: int, rejected_at: RejectedAt, earlier_rows: int) -> Callable[[Rejection], None]:
        """Return what takes the rows that one stage rejects; the run had `earlier_rows` durable before.

        It raises StateError or DeadLettersFullError when a row cannot be kept.
        """

        def take(rejection: Rejection) -> None:
            if rejection.stream != stream or self._specs[stream].on_data_error is DataErrorPolicy.FAIL:
                raise FrameError(f"No row of stream {rejection.stream} can be rejected now.", ErrorInfo("bad_state"))
            if self._specs[stream].on_data_error is DataErrorPolicy.DLQ:
                position = self._position(rejection, rejected_at, earlier_rows)
                self._queue.put((self._letter(rejection, rejected_at, position),), datetime.now(UTC))
            with self._lock:
                self._counts[stream, rejected_at] += 1

        return take

    def _position(self, rejection: Rejection, rejected_at: RejectedAt, earlier_rows: int) -> str:
        """Return what is the same when another attempt meets the row again: its content, and the how manieth it is."""
        content = json.dumps([rejected_at.value, rejection.code, dict(rejection.row)], sort_keys=True)
        digest = hashlib.sha256(content.encode("utf-8")).hexdigest()
        with self._lock:
            self._seen[rejection.stream, digest] += 1
            return f"{earlier_rows}:{digest}:{self._seen[rejection.stream, digest]}"

    def _letter(self, rejection: Rejection, rejected_at: RejectedAt, position: str) -> DeadLetter:
        return DeadLetter(
            pipeline=self._pipeline,
            stream=self._specs[rejection.stream].name,
            run_id=self._run_id,
            rejected_at=rejected_at,
            category=rejection.category,
            code=rejection.code,
            reasons=(rejection.reason,),
            row=rejection.row,
            position=position,
        )
