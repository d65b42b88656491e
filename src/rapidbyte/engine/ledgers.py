"""The ledgers of streams of changes, which one lane moves together: each frame finds its own."""

from __future__ import annotations

from rapidbyte.engine.ledger import Ledger
from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Durable, FrameMetadata
from rapidbyte.model import JsonObject


class Ledgers:
    """One ledger for each of `streams`. Safe for threads, as they are."""

    def __init__(self, streams: tuple[int, ...]) -> None:
        self._ledgers = {stream: Ledger(stream, is_of_changes=True) for stream in streams}
        self.lag_bytes: int | None = None  # what the source told last

    def of(self, stream: int) -> Ledger:
        """Return the ledger of a stream. Raises FrameError with code `invalid_argument`, as all do."""
        ledger = self._ledgers.get(stream)
        if ledger is None:
            raise FrameError(f"Stream {stream} is not what this lane moves now.", ErrorInfo("invalid_argument"))
        return ledger

    def sent(self, frame: FrameMetadata) -> None:
        """Enter a frame that the source emits."""
        self.of(frame.stream).sent(frame)

    def delivered(self, frame: FrameMetadata) -> None:
        """Enter a frame that the destination receives."""
        self.of(frame.stream).delivered(frame)

    def durable(self, durable: Durable) -> None:
        """Enter a checkpoint."""
        self.of(durable.stream).durable(durable)

    def lag(self, size_bytes: int) -> None:
        """Enter how far the destination is behind the source."""
        self.lag_bytes = size_bytes

    def durable_position(self, stream: int) -> JsonObject | None:
        """Return where the receipt of a stream is, None before the first one."""
        return self.of(stream).now.durable_position
