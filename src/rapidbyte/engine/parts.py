"""The parts of one stream: lanes take ranges of it as they come, each through a channel of its own, up to the last one.

What they write becomes durable at once, when all of them are done, and by other hands.
"""

from __future__ import annotations

import time

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.division import Division
from rapidbyte.engine.documents import Part
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.pace import Pace
from rapidbyte.engine.ranges import Ranges
from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.model import JsonObject, StreamSpec


class Parts:
    """The stream `stream`, cut as `division` says and written by `share`; the first lane that joins begins it."""

    def __init__(self, stream: int, spec: StreamSpec, division: Division, share: JsonObject) -> None:
        self.most_lanes = 0
        self._stream = stream
        self._spec = spec
        self._share = share
        self._pace = division.pace
        self._ranges = Ranges(division.extent, division.pace.most, division.least_range)
        self._lanes: list[Lane] = []
        self._ledgers: list[Ledger] = []
        self._begun_s = time.monotonic()

    @property
    def is_begun(self) -> bool:
        """Whether a lane has joined."""
        return bool(self._ledgers)

    @property
    def is_handed_out(self) -> bool:
        """Whether the last range was taken."""
        return self._ranges.is_exhausted

    @property
    def is_over(self) -> bool:
        """Whether every lane that joined is done."""
        return self.is_begun and not self._lanes

    @property
    def wanted(self) -> int:
        """How many more lanes should join: one to begin with, and none before that one has taken a range."""
        if not self.is_begun:
            return 1
        if not self._ranges.is_begun or self.is_handed_out:
            return 0
        return max(0, self._pace.lanes - len(self._lanes))

    @property
    def total(self) -> Total:
        """What was moved of all parts."""
        return Total.of([ledger.now for ledger in self._ledgers])

    def join(self, lane: Lane) -> None:
        """Let a lane move a part."""
        if not self.is_begun:
            self._begun_s = time.monotonic()
        part = Part(is_first=not self.is_begun, share=self._share)
        self._lanes.append(lane)
        self.most_lanes = max(self.most_lanes, len(self._lanes))
        self._ledgers.append(lane.move_part(self._stream, part, self._ranges))

    def let_go(self) -> tuple[Lane, ...]:
        """Return the lanes that are done since the last time. While others still read, nobody joins in their place."""
        done = tuple(lane for lane in self._lanes if not lane.busy)
        for lane in done:
            self._lanes.remove(lane)
        if done and not self.is_handed_out:
            self._pace = Pace.pinned(len(self._lanes))
        return done

    def measure(self) -> None:
        """See how fast it goes, and by that how many lanes there should be."""
        now_s = time.monotonic()
        left_s = (now_s - self._begun_s) * self._ranges.left / max(1, self._ranges.taken)
        pace = self._pace.after(now_s, len(self._lanes), self.total.sent.size_bytes, left_s)
        self._ranges.release(max(0, self._pace.lanes - pace.lanes))
        self._pace = pace

    def require_all_read(self) -> None:
        """Raise InternalError when the source left ranges unread."""
        if self.is_handed_out:
            return
        raise InternalError(
            f"The source ended before it had read all of {self._spec.name}. This is a fault of the connector; please "
            "report it.",
            ErrorInfo("incomplete_stream", details=(("stream", self._spec.name),)),
        )
