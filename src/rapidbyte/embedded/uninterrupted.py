"""Short steps that a signal must not cut in two, such as making a file and noting that it is to be removed."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold SIGINT, SIGTERM and SIGHUP back within the block, and let the first that came do its work at the end.

    Python runs its handlers in the main thread alone, so in any other there is nothing to hold back.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []

    def hold(number: int, frame: FrameType | None) -> None:
        came.append((number, frame))

    previous = {number: signal.getsignal(number) for number in _SIGNALS}
    held = {number: handler for number, handler in previous.items() if handler not in (signal.SIG_IGN, None)}
    try:
        for number in held:
            signal.signal(number, hold)
        yield
    finally:
        for each, handler in held.items():
            signal.signal(each, handler)
        if came:
            _deliver(*came[0])


def _deliver(number: int, frame: FrameType | None) -> None:
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, frame)  # not raised anew: whoever counts signals has seen it already
    else:
        signal.raise_signal(number)
