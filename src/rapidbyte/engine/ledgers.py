"""The ledgers of a run's streams, shared by the threads that move them."""

from __future__ import annotations

import threading

from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Durable, FrameMetadata


class Ledgers:
    """One ledger for each stream that is moving or has moved, by its index. Safe for threads."""

    def __init__(self) -> None:
        self._ledgers: dict[int, StreamLedger] = {}
        self._lock = threading.Lock()

    def begin(self, stream: int) -> None:
        """Start a stream afresh."""
        with self._lock:
            self._ledgers[stream] = StreamLedger()

    def of(self, stream: int) -> StreamLedger:
        """Return a stream as it stands now."""
        with self._lock:
            return self._ledger(stream)

    def sent(self, frame: FrameMetadata) -> None:
        """Enter a frame that the source emits. Raises FrameError with code `invalid_argument`."""
        with self._lock:
            self._ledgers[frame.stream] = self._ledger(frame.stream).after_sending(frame)

    def delivered(self, frame: FrameMetadata) -> None:
        """Enter a frame that the destination receives."""
        with self._lock:
            self._ledgers[frame.stream] = self._ledger(frame.stream).after_delivery(frame)

    def durable(self, durable: Durable) -> None:
        """Enter a checkpoint. Raises FrameError with code `invalid_argument`."""
        with self._lock:
            self._ledgers[durable.stream] = self._ledger(durable.stream).after_commit(durable)

    def _ledger(self, stream: int) -> StreamLedger:
        ledger = self._ledgers.get(stream)
        if ledger is None:
            raise FrameError(f"Stream {stream} is not part of this run.", ErrorInfo("invalid_argument"))
        return ledger
