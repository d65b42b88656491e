"""How far a run is: a board that events are written to, and that displays read, from any thread."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from rapidbyte.engine import ConnectorCompiling, Event, StreamFinished, StreamProgress, StreamStarted


@dataclass(frozen=True, slots=True)
class StreamState:
    """One stream: rows and bytes read so far, since when, and whether it has ended; times are of the board's clock."""

    name: str
    started_s: float
    estimated_rows: int | None = None
    rows: int = 0
    size_bytes: int = 0
    ended_s: float | None = None
    lag_bytes: int | None = None

    def duration_s(self, now_s: float) -> float:
        """Return how long the stream has been moving, or was."""
        return (now_s if self.ended_s is None else self.ended_s) - self.started_s


def compiling_line(event: ConnectorCompiling) -> str:
    """Say why nothing moves yet."""
    return f"Compiling the {event.connector} for this machine, once ..."


class Board:
    """The streams of a run in the order in which they started."""

    def __init__(self) -> None:
        self._streams: dict[str, StreamState] = {}
        self._lock = threading.Lock()

    def apply(self, event: Event, now_s: float) -> None:
        """Note what `event` says of a stream; others change nothing."""
        with self._lock:
            match event:
                case StreamStarted():
                    self._streams[event.stream] = StreamState(event.stream, now_s, event.estimated_rows)
                case StreamProgress():
                    self._note(event.stream, event.rows_read, event.bytes_read, None, event.lag_bytes)
                case StreamFinished():
                    report = event.report
                    self._note(report.name, report.rows_written, report.bytes_read, now_s)
                case _:
                    pass

    def streams(self) -> tuple[StreamState, ...]:
        """Return the streams as they are now."""
        with self._lock:
            return tuple(self._streams.values())

    def _note(self, name: str, rows: int, size_bytes: int, ended_s: float | None, lag_bytes: int | None = None) -> None:
        stream = self._streams[name]
        self._streams[name] = replace(stream, rows=rows, size_bytes=size_bytes, ended_s=ended_s, lag_bytes=lag_bytes)
