"""Progress as a table that redraws itself on a terminal."""

from __future__ import annotations

import time
from types import TracebackType
from typing import IO, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from rapidbyte.cli.figures import counted, megabytes, rate
from rapidbyte.cli.output import printable
from rapidbyte.cli.progress import Board, StreamState, compiling_line
from rapidbyte.engine import ConnectorCompiling, Event, LogLine
from rapidbyte.wasm import Level

_REDRAWS_PER_S = 8
_COLUMNS = ("stream", "rows", "MB", "seconds", "rows/s")
_LAG = "bytes behind"  # only where a source tells


class LiveProgress:
    """Draws on `terminal` from `__enter__` to `__exit__`, then removes what it drew."""

    def __init__(self, terminal: IO[str]) -> None:
        self._board = Board()
        self._console = Console(file=terminal)
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._table, console=self._console, refresh_per_second=_REDRAWS_PER_S, transient=True
        )

    def say(self, text: str) -> None:
        """Write a line above the table."""
        self._console.print(Text(printable(text)))

    def on_event(self, event: Event) -> None:
        """Take one event of the run."""
        self._board.apply(event, time.monotonic())
        if isinstance(event, LogLine) and event.level <= Level.INFO:
            self.say(f"{event.connector}: {event.level.name.lower()}: {event.message}")
        elif isinstance(event, ConnectorCompiling):
            self.say(compiling_line(event))

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _table(self) -> Table | Text:
        streams = self._board.streams()
        if not streams:
            return Text()
        table = Table(box=None, pad_edge=False)
        table.add_column("")
        for name in _COLUMNS:
            table.add_column(name, justify="left" if name == "stream" else "right")
        has_lag = any(stream.lag_bytes is not None for stream in streams)
        if has_lag:
            table.add_column(_LAG, justify="right")
        now_s = time.monotonic()
        for stream in streams:
            duration_s = stream.duration_s(now_s)
            table.add_row(
                self._spinner if stream.ended_s is None else Text("✓", "green"),
                Text(printable(stream.name)),
                _rows(stream),
                megabytes(stream.size_bytes),
                f"{duration_s:.1f}",
                rate(stream.rows, duration_s),
                *(("" if stream.lag_bytes is None else counted(stream.lag_bytes),) if has_lag else ()),
            )
        return table


def _rows(stream: StreamState) -> str:
    if stream.estimated_rows is None or stream.ended_s is not None:
        return counted(stream.rows)
    return f"{counted(stream.rows)} of about {counted(stream.estimated_rows)}"
