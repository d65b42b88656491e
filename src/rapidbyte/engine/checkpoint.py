"""The ledger of one stream: what was sent, delivered and made durable (docs/ABI.md §6). Pure values.

Rows can be delivered only after they were sent, and durable only after they were delivered; what transforms between the
two did is in `crossing`. A stream is complete when it has ended and all of this agrees. Where several lanes move a
stream, each moves a part that is such a stream of its own, but for what is durable: that is nothing until all parts are
delivered, and then all of it at once. Every method returns the next ledger, or raises FrameError with code
`invalid_argument`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from rapidbyte.engine.crossing import Crossing
from rapidbyte.engine.passage import Passage, Phase, require
from rapidbyte.frames import Durable, FrameMetadata
from rapidbyte.model import JsonObject


@dataclass(frozen=True, slots=True)
class StreamLedger:
    """Both ends of the chain, the transforms between them, and what is durable behind it."""

    sent: Passage = field(default_factory=Passage)
    crossings: tuple[Crossing, ...] = ()
    delivered: Passage = field(default_factory=Passage)
    durable_rows: int = 0
    durable_bytes: int = 0
    durable_position: JsonObject | None = None

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
        position = self.durable_position if durable.position is None else durable.position
        return replace(self, durable_rows=durable.rows, durable_bytes=durable.size_bytes, durable_position=position)

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
    def is_delivered(self) -> bool:
        """Whether every row that was read has arrived, was filtered or rejected, and there will be no more."""
        left = (self.sent, *(crossing.given for crossing in self.crossings))
        reached = (*(crossing.taken for crossing in self.crossings), self.delivered)
        return self.delivered.phase is Phase.ENDED and left == reached

    @property
    def is_complete(self) -> bool:
        """Whether what arrived of such a stream is durable."""
        return self.is_delivered and self.durable_rows == self.delivered.rows


@dataclass(frozen=True, slots=True)
class Total:
    """The parts of a stream together: the only one, of a lane that moves it alone, or those of several lanes."""

    sent: Passage
    delivered: Passage
    filtered_rows: int
    durable_rows: int
    is_delivered: bool

    @classmethod
    def of(cls, parts: Sequence[StreamLedger]) -> Self:
        """Add parts up."""
        return cls(
            sent=_sum([part.sent for part in parts]),
            delivered=_sum([part.delivered for part in parts]),
            filtered_rows=sum(part.filtered_rows for part in parts),
            durable_rows=sum(part.durable_rows for part in parts),
            is_delivered=bool(parts) and all(part.is_delivered for part in parts),
        )

    def after_publication(self) -> Self:
        """All parts became durable at once."""
        require(self.is_delivered, "A stream became durable before all of its parts were delivered.")
        require(self.durable_rows == 0, "A part of a stream was durable before the others.")
        return replace(self, durable_rows=self.delivered.rows)


def _sum(passages: Sequence[Passage]) -> Passage:
    return Passage(
        rows=sum(passage.rows for passage in passages),
        size_bytes=sum(passage.size_bytes for passage in passages),
        batches=sum(passage.batches for passage in passages),
    )
