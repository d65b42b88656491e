"""The ledger of one stream: what was sent, delivered and made durable (docs/ABI.md §6). Pure values.

A stream is one schema, batches, and one end whose sums are those of the batches. Rows can be delivered only after they
were sent, and durable only after they were delivered; a stream is complete when all three agree and it has ended.
Every method returns the next ledger, or raises FrameError with code `invalid_argument`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Durable, FrameKind, FrameMetadata


class Phase(Enum):
    """Where one side of the channel is in the stream."""

    BEFORE_SCHEMA = "before its schema"
    IN_BATCHES = "among its batches"
    ENDED = "after its end"


@dataclass(frozen=True, slots=True)
class Passage:
    """What passed one point of the channel."""

    phase: Phase = Phase.BEFORE_SCHEMA
    rows: int = 0
    size_bytes: int = 0
    batches: int = 0

    def after(self, frame: FrameMetadata) -> Self:
        """Return the passage with one more frame."""
        if frame.kind is FrameKind.SCHEMA:
            self._require(self.phase is Phase.BEFORE_SCHEMA, frame)
            _require(frame.rows == 0 and frame.size_bytes == 0, f"The schema of stream {frame.stream} counts rows.")
            return replace(self, phase=Phase.IN_BATCHES)
        self._require(self.phase is Phase.IN_BATCHES, frame)
        if frame.kind is FrameKind.BATCH:
            return replace(
                self,
                rows=self.rows + frame.rows,
                size_bytes=self.size_bytes + frame.size_bytes,
                batches=self.batches + 1,
            )
        _require(
            (frame.rows, frame.size_bytes) == (self.rows, self.size_bytes),
            f"The end of stream {frame.stream} claims {frame.rows} rows and {frame.size_bytes} bytes, but its batches "
            f"have {self.rows} and {self.size_bytes}.",
        )
        return replace(self, phase=Phase.ENDED)

    def _require(self, is_right: bool, frame: FrameMetadata) -> None:
        _require(is_right, f"A {frame.kind.value} frame of stream {frame.stream} came {self.phase.value}.")


@dataclass(frozen=True, slots=True)
class StreamLedger:
    """Both ends of the channel, and what is durable behind it."""

    sent: Passage = field(default_factory=Passage)
    delivered: Passage = field(default_factory=Passage)
    durable_rows: int = 0
    durable_bytes: int = 0

    def after_sending(self, frame: FrameMetadata) -> Self:
        """The source emits a frame."""
        return replace(self, sent=self.sent.after(frame))

    def after_delivery(self, frame: FrameMetadata) -> Self:
        """The destination receives a frame."""
        return replace(self, delivered=self.delivered.after(frame))

    def after_commit(self, durable: Durable) -> Self:
        """The destination says what it has committed."""
        _require(
            self.durable_rows <= durable.rows and self.durable_bytes <= durable.size_bytes,
            f"A checkpoint of stream {durable.stream} goes back from {self.durable_rows} rows to {durable.rows}.",
        )
        _require(
            durable.rows <= self.delivered.rows and durable.size_bytes <= self.delivered.size_bytes,
            f"A checkpoint of stream {durable.stream} claims {durable.rows} rows, but {self.delivered.rows} were "
            "delivered.",
        )
        return replace(self, durable_rows=durable.rows, durable_bytes=durable.size_bytes)

    @property
    def is_sent(self) -> bool:
        """Whether the source has sent the end."""
        return self.sent.phase is Phase.ENDED

    @property
    def is_complete(self) -> bool:
        """Whether every row that was read is durable, and there will be no more."""
        return self.is_sent and self.delivered == self.sent and self.durable_rows == self.sent.rows


def _require(is_right: bool, message: str) -> None:
    if not is_right:
        raise FrameError(message, ErrorInfo("invalid_argument"))
