"""What passed one point of a channel: one schema, batches, and one end with the sums of the batches. Pure values.

Changes may have further schemas between their batches.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import FrameKind, FrameMetadata


class Phase(Enum):
    """Where one side of the channel is in the stream."""

    BEFORE_SCHEMA = "before its schema"
    IN_BATCHES = "among its batches"
    ENDED = "after its end"


@dataclass(frozen=True, slots=True)
class Passage:
    """What passed one point of a channel."""

    phase: Phase = Phase.BEFORE_SCHEMA
    rows: int = 0
    size_bytes: int = 0
    batches: int = 0
    is_of_changes: bool = False

    def after(self, frame: FrameMetadata) -> Self:
        """Return the passage with one more frame."""
        if frame.kind is FrameKind.SCHEMA:
            is_further = self.is_of_changes and self.phase is Phase.IN_BATCHES
            self._require(self.phase is Phase.BEFORE_SCHEMA or is_further, frame)
            counted = frame.rows + frame.size_bytes + frame.filtered
            require(counted == 0, f"The schema of stream {frame.stream} counts rows.")
            return replace(self, phase=Phase.IN_BATCHES)
        self._require(self.phase is Phase.IN_BATCHES, frame)
        if frame.kind is FrameKind.BATCH:
            return replace(
                self,
                rows=self.rows + frame.rows,
                size_bytes=self.size_bytes + frame.size_bytes,
                batches=self.batches + 1,
            )
        require(
            (frame.rows, frame.size_bytes) == (self.rows, self.size_bytes),
            f"The end of stream {frame.stream} claims {frame.rows} rows and {frame.size_bytes} bytes, but its batches "
            f"have {self.rows} and {self.size_bytes}.",
        )
        return replace(self, phase=Phase.ENDED)

    def _require(self, is_right: bool, frame: FrameMetadata) -> None:
        require(is_right, f"A {frame.kind.value} frame of stream {frame.stream} came {self.phase.value}.")


def require(is_right: bool, message: str) -> None:
    """Raise FrameError with code `invalid_argument`, unless all is right."""
    if not is_right:
        raise FrameError(message, ErrorInfo("invalid_argument"))
