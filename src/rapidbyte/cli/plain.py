"""Progress as lines, for logs and CI: one when a stream ends, and one for each moving stream every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

from rapidbyte.cli.figures import counted, megabytes, rate
from rapidbyte.cli.output import Output
from rapidbyte.cli.progress import Board, StreamState, compiling_line
from rapidbyte.engine import ConnectorCompiling, Event, LogLine, StreamFinished
from rapidbyte.wasm import Level

_INTERVAL_S = 5.0


class PlainProgress:
    """Writes to `output` as events come. `clock` gives seconds."""

    def __init__(self, output: Output, clock: Callable[[], float] = time.monotonic) -> None:
        self._output = output
        self._clock = clock
        self._board = Board()
        self._spoke_s = clock()

    def say(self, text: str) -> None:
        """Write a line."""
        self._output.say(text)

    def on_event(self, event: Event) -> None:
        """Take one event of the run."""
        now_s = self._clock()
        self._board.apply(event, now_s)
        match event:
            case LogLine() if event.level <= Level.INFO:
                self.say(f"{event.connector}: {event.level.name.lower()}: {event.message}")
            case ConnectorCompiling():
                self.say(compiling_line(event))
            case StreamFinished():
                done = next(stream for stream in self._board.streams() if stream.name == event.report.name)
                self.say(f"{_line(done, now_s)}, done")
            case _ if now_s - self._spoke_s >= _INTERVAL_S:
                self._spoke_s = now_s
                for stream in self._board.streams():
                    if stream.ended_s is None:
                        self.say(_line(stream, now_s))
            case _:
                pass


def _line(stream: StreamState, now_s: float) -> str:
    speed = rate(stream.rows, stream.duration_s(now_s))
    behind = "" if stream.lag_bytes is None else f", {counted(stream.lag_bytes)} bytes behind"
    return f"{stream.name}: {counted(stream.rows)} rows, {megabytes(stream.size_bytes)} MB, {speed} rows/s{behind}"
