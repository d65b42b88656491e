"""What an instance is doing, as far as time limits care: its last moved byte, and whether it waits for its peer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Activity:
    """Written by the thread that drives the instance, read by the watchdog."""

    def __init__(self) -> None:
        self._last_s = time.monotonic()
        self._is_waiting = False

    def beat(self) -> None:
        """Note that bytes moved now."""
        self._last_s = time.monotonic()

    @contextmanager
    def waiting_for_peer(self) -> Iterator[None]:
        """Within the block, the instance at the other end of the channel is the one whose time runs."""
        self._is_waiting = True
        try:
            yield
        finally:
            self.beat()
            self._is_waiting = False

    def idle_since(self) -> float:
        """Return the time, by `time.monotonic`, since when this instance has moved nothing though it could."""
        return time.monotonic() if self._is_waiting else self._last_s
