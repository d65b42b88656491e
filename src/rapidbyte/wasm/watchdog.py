"""Ending calls that take too long, or that were told to stop and do not.

One thread for any number of guarded calls; it sleeps until the next of them is due. A call whose time is over gets an
interrupt; one that does not return within STOP_GRACE_S of any interrupt is killed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rapidbyte.net import Interrupt, InterruptReason
from rapidbyte.wasm.abi import STOP_GRACE_S


@dataclass(eq=False, slots=True)
class _Guard:
    interrupt: Interrupt
    due: Callable[[], float]
    kill: Callable[[], None]
    kill_at: float | None = None

    def step(self, now: float) -> float:
        """Do what is due at `now` and return when to look again."""
        if self.interrupt.reason is None:
            due = self.due()
            if now < due:
                return due
            self.interrupt.fire(InterruptReason.TIMED_OUT)
        if self.kill_at is None:
            self.kill_at = now + STOP_GRACE_S
        if now >= self.kill_at:
            self.kill()
            self.kill_at = now + STOP_GRACE_S  # once more, should it have struck between two entries
        return self.kill_at


class Watchdog:
    """Guards calls from any thread; `close` waits for its own thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._guards: list[_Guard] = []
        self._is_closed = False
        self._is_stale = False
        self._thread: threading.Thread | None = None

    @contextmanager
    def guard(self, interrupt: Interrupt, due: Callable[[], float], kill: Callable[[], None]) -> Iterator[None]:
        """Guard the block. `due`, asked again and again, gives the time (by `time.monotonic`) when it must be over.

        `kill` is called on the watchdog's thread, never after the block was left.
        """
        guard = _Guard(interrupt, due, kill)
        with self._changed:
            self._guards.append(guard)
            self._wake()
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
                self._thread.start()
        try:
            with interrupt.listening(self._notice):
                yield
        finally:
            with self._changed:
                self._guards.remove(guard)

    def close(self) -> None:
        """Stop the thread. No call may be guarded any more. Safe to repeat."""
        with self._changed:
            self._is_closed = True
            self._wake()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _notice(self) -> None:
        if threading.current_thread() is not self._thread:
            with self._changed:
                self._wake()

    def _wake(self) -> None:
        self._is_stale = True
        self._changed.notify_all()

    def _watch(self) -> None:
        with self._changed:
            while not self._is_closed:
                self._is_stale = False
                now = time.monotonic()
                next_look = min((guard.step(now) for guard in self._guards), default=None)
                if not self._is_stale:
                    self._changed.wait(None if next_look is None else max(0.0, next_look - now))
