"""The ledgers of a run's streams, shared by the threads that move them."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.engine.crossing import Crossing
from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Durable, FrameMetadata


class Ledgers:
    """One ledger for each stream that is moving or has moved, by its index. Safe for threads."""

    def __init__(self, transforms: int = 0) -> None:
        """`transforms` is how many of them each stream passes."""
        self._transforms = transforms
        self._ledgers: dict[int, StreamLedger] = {}
        self._lock = threading.Lock()

    def begin(self, stream: int) -> None:
        """Start a stream afresh."""
        with self._lock:
            self._ledgers[stream] = StreamLedger(crossings=(Crossing(),) * self._transforms)

    def of(self, stream: int) -> StreamLedger:
        """Return a stream as it stands now."""
        with self._lock:
            return self._ledger(stream)

    def sent(self, frame: FrameMetadata) -> None:
        """Enter a frame that the source emits. Raises FrameError with code `invalid_argument`."""
        with self._lock:
            self._ledgers[frame.stream] = self._ledger(frame.stream).after_sending(frame)

    def taken(self, place: int, frame: FrameMetadata) -> None:
        """Enter a frame that the transform at `place` receives."""
        self._cross(frame.stream, place, lambda crossing: crossing.after_taking(frame))

    def given(self, place: int, frame: FrameMetadata) -> None:
        """Enter a frame that the transform at `place` emits. Raises FrameError with code `invalid_argument`."""
        self._cross(frame.stream, place, lambda crossing: crossing.after_giving(frame))

    def rejected(self, place: int, stream: int) -> None:
        """Enter a row that the transform at `place` rejects. Raises FrameError with code `invalid_argument`."""
        self._cross(stream, place, Crossing.after_rejecting)

    def delivered(self, frame: FrameMetadata) -> None:
        """Enter a frame that the destination receives."""
        with self._lock:
            self._ledgers[frame.stream] = self._ledger(frame.stream).after_delivery(frame)

    def durable(self, durable: Durable) -> None:
        """Enter a checkpoint. Raises FrameError with code `invalid_argument`."""
        with self._lock:
            self._ledgers[durable.stream] = self._ledger(durable.stream).after_commit(durable)

    def _cross(self, stream: int, place: int, step: Callable[[Crossing], Crossing]) -> None:
        with self._lock:
            self._ledgers[stream] = self._ledger(stream).after_crossing(place, step)

    def _ledger(self, stream: int) -> StreamLedger:
        ledger = self._ledgers.get(stream)
        if ledger is None:
            raise FrameError(f"Stream {stream} is not part of this run.", ErrorInfo("invalid_argument"))
        return ledger
