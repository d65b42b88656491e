"""The ledger of what one lane moves of a stream, which the threads of its stages write."""

from __future__ import annotations

import threading
from collections.abc import Callable

from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.engine.crossing import Crossing
from rapidbyte.engine.passage import Passage
from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Durable, FrameMetadata


class Ledger:
    """A stream on its way through a lane, or the part of it that is. Safe for threads."""

    def __init__(self, stream: int, transforms: int = 0, *, is_part: bool = False, is_of_changes: bool = False) -> None:
        """`transforms` is how many of them the stream passes; the columns of changes may change between them."""
        self._stream = stream
        self.is_part = is_part
        passage = Passage(is_of_changes=is_of_changes)
        self._now = StreamLedger(sent=passage, crossings=(Crossing(),) * transforms, delivered=passage)
        self._lock = threading.Lock()

    @property
    def now(self) -> StreamLedger:
        """The stream as it stands."""
        return self._now

    def sent(self, frame: FrameMetadata) -> None:
        """Enter a frame that the source emits. Raises FrameError with code `invalid_argument`, as all do."""
        self._require_own(frame.stream)
        with self._lock:
            self._now = self._now.after_sending(frame)

    def taken(self, place: int, frame: FrameMetadata) -> None:
        """Enter a frame that the transform at `place` receives."""
        self._cross(frame.stream, place, lambda crossing: crossing.after_taking(frame))

    def given(self, place: int, frame: FrameMetadata) -> None:
        """Enter a frame that the transform at `place` emits."""
        self._cross(frame.stream, place, lambda crossing: crossing.after_giving(frame))

    def rejected(self, place: int, stream: int) -> None:
        """Enter a row that the transform at `place` rejects."""
        self._cross(stream, place, Crossing.after_rejecting)

    def delivered(self, frame: FrameMetadata) -> None:
        """Enter a frame that the destination receives."""
        self._require_own(frame.stream)
        with self._lock:
            self._now = self._now.after_delivery(frame)

    def durable(self, durable: Durable) -> None:
        """Enter a checkpoint."""
        self._require_own(durable.stream)
        if self.is_part:
            raise FrameError(
                f"A part of stream {self._stream} is durable only with all the others.", ErrorInfo("invalid_argument")
            )
        with self._lock:
            self._now = self._now.after_commit(durable)

    def _cross(self, stream: int, place: int, step: Callable[[Crossing], Crossing]) -> None:
        self._require_own(stream)
        with self._lock:
            self._now = self._now.after_crossing(place, step)

    def _require_own(self, stream: int) -> None:
        if stream != self._stream:
            raise FrameError(f"Stream {stream} is not what this lane moves now.", ErrorInfo("invalid_argument"))
