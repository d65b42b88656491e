"""Ctrl-C, SIGTERM and SIGHUP: the first asks the command to stop, the second ends the process at once.

A thread of its own reads the signals, so that they work while the main thread is deep in a guest or a driver.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHOW_CURSOR = b"\x1b[?25h\n"


class Signals:
    """Watches from `__enter__` to `__exit__`; `received` is the first signal's number, or None."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._stop: Callable[[], None] | None = None
        self._previous: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._previous_wakeup_fd = -1
        self._read_fd = -1
        self._write_fd = -1

    @contextmanager
    def stopping(self, stop: Callable[[], None]) -> Iterator[None]:
        """Within the block, call `stop` from another thread instead of raising KeyboardInterrupt in this one."""
        self._stop = stop
        try:
            if self.received is not None:
                stop()
            yield
        finally:
            self._stop = None

    def __enter__(self) -> Self:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._write_fd, False)
        self._previous_wakeup_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup, or a shell's background job
                self._previous[number] = signal.signal(number, self._on_main_thread)
        threading.Thread(target=self._watch, args=(self._read_fd,), name="signals", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._previous_wakeup_fd)
        os.close(self._write_fd)  # which ends the thread

    def _on_main_thread(self, number: int, _: FrameType | None) -> None:
        if self.received is None:
            self.received = number
        if self._stop is None:
            raise KeyboardInterrupt

    def _watch(self, read_fd: int) -> None:
        is_first = True
        while number := os.read(read_fd, 1):
            if number[0] not in self._previous:
                continue
            if not is_first:
                if sys.stderr is not None and sys.stderr.isatty():
                    os.write(2, _SHOW_CURSOR)  # the live display hid it
                os._exit(128 + number[0])
            is_first = False
            self.received = number[0]
            stop = self._stop
            if stop is not None:
                stop()
        os.close(read_fd)
