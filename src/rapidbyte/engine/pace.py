"""How many lanes move one stream: another one as long as each made it faster. Pure values.

It begins with a few. When all of them have been at work for a while, their speed is compared with that of one lane
less: where it grew, one more is tried, and where it did not, the last one is let go. Near the end none is tried any
more, since it would cost more than it could gain. What a lane does is not touched by this, only how many there are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

_WINDOW_S = 1.0
_LEAST_GAIN = 1.05


@dataclass(frozen=True, slots=True)
class Pace:
    """`lanes` should be at work, and never more than `most`; the rest is the measurement that goes on."""

    lanes: int
    most: int
    is_settled: bool = False
    rate: float = 0.0  # bytes a second of one lane less
    begun_s: float | None = None
    begun_bytes: int = 0

    @classmethod
    def pinned(cls, lanes: int) -> Self:
        """Have a number of lanes that nothing changes."""
        return cls(lanes, lanes, is_settled=True)

    def after(self, now_s: float, working: int, size_bytes: int, left_s: float) -> Self:
        """Return the pace once `size_bytes` have been read in all, `working` lanes being at it, for `left_s` more."""
        if self.is_settled:
            return self
        if working != self.lanes:
            return replace(self, begun_s=None)
        if self.begun_s is None:
            return replace(self, begun_s=now_s, begun_bytes=size_bytes)
        if now_s - self.begun_s < _WINDOW_S:
            return self
        rate = (size_bytes - self.begun_bytes) / (now_s - self.begun_s)
        if rate < self.rate * _LEAST_GAIN:
            return replace(self, lanes=self.lanes - 1, is_settled=True)
        if self.lanes == self.most or left_s < 2 * _WINDOW_S:
            return replace(self, is_settled=True)
        return replace(self, lanes=self.lanes + 1, rate=rate, begun_s=None)
