"""What a run tells while it goes on. Events come on the caller's thread, one after the other."""

from __future__ import annotations

from dataclasses import dataclass

from rapidbyte.model import RunReport, StreamReport
from rapidbyte.wasm import Level


@dataclass(frozen=True, slots=True)
class ConnectorCompiling:
    """A connector is compiled for this machine, which takes a second and is kept; it comes before RunStarted."""

    connector: str


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The connectors are about to be opened."""

    run_id: str
    pipeline: str
    streams: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """A stream's turn has come; `estimated_rows` is the source's guess, or None."""

    stream: str
    estimated_rows: int | None


@dataclass(frozen=True, slots=True)
class StreamProgress:
    """How far a stream is; `rows_written` are durable, so in one commit they come all at the end.

    `lag_bytes` is how much there is at the source that is not durable yet, None where the source does not tell.
    """

    stream: str
    rows_read: int
    rows_written: int
    bytes_read: int
    lag_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class StreamFinished:
    """A stream is whole at the destination."""

    report: StreamReport


@dataclass(frozen=True, slots=True)
class LogLine:
    """Something a connector says; `connector` is such as `source postgres`."""

    connector: str
    level: Level
    message: str


@dataclass(frozen=True, slots=True)
class RunFinished:
    """All streams are whole."""

    report: RunReport


Event = ConnectorCompiling | RunStarted | StreamStarted | StreamProgress | StreamFinished | LogLine | RunFinished
