"""How a stream passes one transform: what that took, and what became of each row of it. Pure values.

A transform may leave rows out and reject others, but makes none. Where it tells a position or the end, it has accounted
for every row that it took, so that nothing behind that position can be lost.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from rapidbyte.engine.passage import Passage, Phase, require
from rapidbyte.frames import FrameKind, FrameMetadata
from rapidbyte.model import JsonObject


@dataclass(frozen=True, slots=True)
class Crossing:
    """One transform: what it took, and what became of that. `position` came with the last frame that it took."""

    taken: Passage = field(default_factory=Passage)
    given: Passage = field(default_factory=Passage)
    filtered_rows: int = 0
    rejected_rows: int = 0
    position: JsonObject | None = None

    @property
    def has_ended(self) -> bool:
        """Whether the transform has sent the end, which is after it took the end."""
        return self.given.phase is Phase.ENDED

    def after_taking(self, frame: FrameMetadata) -> Self:
        """The transform receives a frame."""
        return replace(self, taken=self.taken.after(frame), position=frame.position)

    def after_rejecting(self) -> Self:
        """The transform hands a row over."""
        return replace(self, rejected_rows=self.rejected_rows + 1)._balanced(is_closed=False)

    def after_giving(self, frame: FrameMetadata) -> Self:
        """The transform emits a frame."""
        stream, is_end = frame.stream, frame.kind is FrameKind.END
        require(
            frame.position is None or frame.position == self.position,
            f"A frame of stream {stream} has a position that did not come with the last frame that was taken.",
        )
        if is_end:
            require(self.taken.phase is Phase.ENDED, f"The end of stream {stream} was sent before it was taken.")
            require(
                frame.filtered == self.filtered_rows,
                f"The end of stream {stream} claims {frame.filtered} filtered rows, its batches {self.filtered_rows}.",
            )
        filtered = self.filtered_rows + (0 if is_end else frame.filtered)
        after = replace(self, given=self.given.after(frame), filtered_rows=filtered)
        return after._balanced(is_closed=is_end or frame.position is not None)

    def _balanced(self, *, is_closed: bool) -> Self:
        """Return the crossing if all rows that it accounts for were taken, and when `is_closed`, are all of those."""
        rows, size_bytes = self.given.rows + self.filtered_rows + self.rejected_rows, self.given.size_bytes
        taken = self.taken
        require(
            (rows, size_bytes) == (taken.rows, taken.size_bytes)
            if is_closed
            else rows <= taken.rows and size_bytes <= taken.size_bytes,
            f"A transform took {taken.rows} rows of {taken.size_bytes} bytes; it accounts for {self.given.rows} of "
            f"{size_bytes} bytes that it gave, {self.filtered_rows} filtered and {self.rejected_rows} rejected.",
        )
        return self
