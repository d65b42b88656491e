"""The ledger of one stream: what was sent, delivered and made durable (docs/ABI.md §6). Pure values.

Rows can be delivered only after they were sent, and durable only after they were delivered; what transforms between the
two did is in `crossing`. A stream is complete when it has ended and all of this agrees. Every method returns the next
ledger, or raises FrameError with code `invalid_argument`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

from rapidbyte.engine.crossing import Crossing
from rapidbyte.engine.passage import Passage, Phase, require
from rapidbyte.frames import Durable, FrameMetadata


@dataclass(frozen=True, slots=True)
class StreamLedger:
    """Both ends of the chain, the transforms between them, and what is durable behind it."""

    sent: Passage = field(default_factory=Passage)
    crossings: tuple[Crossing, ...] = ()
    delivered: Passage = field(default_factory=Passage)
    durable_rows: int = 0
    durable_bytes: int = 0

    def after_sending(self, frame: FrameMetadata) -> Self:
        """The source emits a frame."""
        require(frame.filtered == 0, f"A frame of stream {frame.stream} has filtered rows, which only transforms do.")
        return replace(self, sent=self.sent.after(frame))

    def after_crossing(self, place: int, step: Callable[[Crossing], Crossing]) -> Self:
        """The transform at `place` takes a step."""
        crossings = list(self.crossings)
        crossings[place] = step(crossings[place])
        return replace(self, crossings=tuple(crossings))

    def after_delivery(self, frame: FrameMetadata) -> Self:
        """The destination receives a frame."""
        return replace(self, delivered=self.delivered.after(frame))

    def after_commit(self, durable: Durable) -> Self:
        """The destination says what it has committed."""
        require(
            self.durable_rows <= durable.rows and self.durable_bytes <= durable.size_bytes,
            f"A checkpoint of stream {durable.stream} goes back from {self.durable_rows} rows to {durable.rows}.",
        )
        require(
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
    def due(self) -> Passage:
        """What was sent to the destination."""
        return self.crossings[-1].given if self.crossings else self.sent

    @property
    def filtered_rows(self) -> int:
        """How many rows the transforms have left out."""
        return sum(crossing.filtered_rows for crossing in self.crossings)

    @property
    def is_complete(self) -> bool:
        """Whether every row that was read is durable, filtered or rejected, and there will be no more."""
        left = (self.sent, *(crossing.given for crossing in self.crossings))
        reached = (*(crossing.taken for crossing in self.crossings), self.delivered)
        has_ended = self.delivered.phase is Phase.ENDED
        return has_ended and left == reached and self.durable_rows == self.delivered.rows
