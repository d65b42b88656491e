"""The order to stop that reaches a guest wherever it sleeps in the host.

A sleeper either polls `fileno`, which turns readable, or is woken by a callback.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from types import TracebackType
from typing import Self


class InterruptReason(Enum):
    """Why a guest must stop."""

    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"


class Interrupt:
    """One guest's order to stop. `fire` may come from any thread; the first reason stays until `clear`."""

    def __init__(self) -> None:
        self._read_fd, self._write_fd = os.pipe()
        self._reason: InterruptReason | None = None
        self._callbacks: list[Callable[[], None]] = []
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def reason(self) -> InterruptReason | None:
        """Why the guest must stop, or None while it may go on."""
        return self._reason

    def fileno(self) -> int:
        """A descriptor that is readable from `fire` to `clear`."""
        return self._read_fd

    @contextmanager
    def listening(self, callback: Callable[[], None]) -> Iterator[None]:
        """Within the block, call `callback` when the order comes, on the thread that gives it, or at once."""
        with self._lock:
            is_fired = self._reason is not None
            self._callbacks.append(callback)
        if is_fired:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.remove(callback)

    def fire(self, reason: InterruptReason) -> None:
        """Give the order. Without effect when one is given already."""
        with self._lock:
            if self._reason is not None or self._is_closed:
                return
            self._reason = reason
            os.write(self._write_fd, b"!")
            callbacks = tuple(self._callbacks)
        for callback in callbacks:
            callback()

    def clear(self) -> None:
        """Take the order back, for what is done after it."""
        with self._lock:
            if self._reason is not None:
                os.read(self._read_fd, 1)
                self._reason = None

    def close(self) -> None:
        """Release the descriptors. Safe to repeat."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            os.close(self._read_fd)
            os.close(self._write_fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
