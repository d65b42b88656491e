"""The ranges of one stream, handed out to the lanes that read it as they come for them.

Ranges begin large and get smaller towards the end, so that few are needed and all lanes end at about the same time.
The last one has no end: what has grown behind the extent since it was measured belongs to it.
"""

from __future__ import annotations

import threading

OPEN_END = 2**63 - 1

_SHARES = 4  # of what is left, for each lane
_LARGEST = 8192


def range_end(begin: int, extent: int, lanes: int, least: int) -> int:
    """Return where the range that begins at `begin` ends: OPEN_END for the last one, which is never a small rest."""
    left = extent - begin
    size = min(max(least, left // (_SHARES * lanes)), _LARGEST)
    return begin + size if left - size >= least else OPEN_END


class Ranges:
    """What is left to read of one attempt at a stream. Safe for threads."""

    def __init__(self, extent: int, lanes: int, least: int) -> None:
        self._extent = extent
        self._lanes = lanes
        self._least = least
        self._begin = 0
        self._released = 0
        self._lock = threading.Lock()

    @property
    def is_begun(self) -> bool:
        """Whether a lane has taken the first one."""
        return self._begin > 0

    @property
    def left(self) -> int:
        """How much of the extent nobody has taken yet."""
        return max(0, self._extent - self._begin)

    @property
    def taken(self) -> int:
        """How much of the extent was taken."""
        return self._extent - self.left

    @property
    def is_exhausted(self) -> bool:
        """Whether the last one was taken."""
        return self._begin == OPEN_END

    def release(self, lanes: int) -> None:
        """Let that many of the helping lanes find nothing more to take."""
        with self._lock:
            self._released += lanes

    def take(self, *, is_lead: bool) -> tuple[int, int] | None:
        """Take the next range, or None when there is none for this lane."""
        with self._lock:
            if self._begin == OPEN_END:
                return None
            if not is_lead and self._released:
                self._released -= 1
                return None
            begin, self._begin = self._begin, range_end(self._begin, self._extent, self._lanes, self._least)
            return begin, self._begin
