"""What came of a pipeline: of a run, of a replay of rejected rows, of a check."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Self


class RunStatus(Enum):
    """How a run ended, or that it has not."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"  # its process died without a word


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What was moved of one stream, by at most `lanes` at once. `rows_written` are durable at the destination.

    `rows_rejected` could not be moved and are left out; `rows_filtered` transforms left out.
    """

    name: str
    rows_read: int
    rows_written: int
    bytes_read: int
    batches: int
    duration_s: float
    attempts: int
    rows_rejected: int = 0
    rows_filtered: int = 0
    lanes: int = 1


@dataclass(frozen=True, slots=True)
class ConnectorUsage:
    """What the instances of one connector used in a run; the memory is that of the largest of them.

    `cpu_s` is the time of their threads, in the connector's code and in what the host did for it when it was called.
    """

    connector: str
    instances: int = 0
    memory_peak_bytes: int = 0
    host_calls: int = 0
    cpu_s: float = 0.0

    def with_instance(self, memory_bytes: int, host_calls: int, cpu_s: float) -> Self:
        """Return what one more instance makes of it."""
        return replace(
            self,
            instances=self.instances + 1,
            memory_peak_bytes=max(self.memory_peak_bytes, memory_bytes),
            host_calls=self.host_calls + host_calls,
            cpu_s=self.cpu_s + cpu_s,
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """What a run did: its streams in the order of the document, its connectors in that of the data."""

    run_id: str
    pipeline: str
    status: RunStatus
    duration_s: float
    streams: tuple[StreamReport, ...]
    connectors: tuple[ConnectorUsage, ...] = ()

    @property
    def rows_read(self) -> int:
        """Rows that left the source."""
        return sum(stream.rows_read for stream in self.streams)

    @property
    def rows_written(self) -> int:
        """Rows that are durable at the destination."""
        return sum(stream.rows_written for stream in self.streams)

    @property
    def rows_rejected(self) -> int:
        """Rows that were left out, or kept in the dead-letter queue."""
        return sum(stream.rows_rejected for stream in self.streams)

    @property
    def rows_filtered(self) -> int:
        """Rows that transforms left out."""
        return sum(stream.rows_filtered for stream in self.streams)

    @property
    def bytes_read(self) -> int:
        """Bytes of payload as the source read them."""
        return sum(stream.bytes_read for stream in self.streams)


# What the receipts of replays have behind the name of their pipeline, beside those of its runs.
REPLAY_SUFFIX = " (dead letters)"


@dataclass(frozen=True, slots=True)
class KeptLetter:
    """A rejected row that stays in the dead-letter queue, and why."""

    letter_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class StreamReplay:
    """What came of the dead letters of one stream: `rows_replayed` are durable at the destination."""

    name: str
    rows_replayed: int
    kept: tuple[KeptLetter, ...]


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did, or, where it is dry, would try."""

    pipeline: str
    is_dry: bool
    streams: tuple[StreamReplay, ...]

    @property
    def rows_replayed(self) -> int:
        """Rows that wait no longer."""
        return sum(stream.rows_replayed for stream in self.streams)

    @property
    def rows_kept(self) -> int:
        """Rows that still wait."""
        return sum(len(stream.kept) for stream in self.streams)


class CheckStatus(Enum):
    """The verdict of one check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was verified without moving a row; `subject` is `source`, `destination` or a stream's name."""

    subject: str
    name: str
    status: CheckStatus
    message: str


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of a pipeline."""

    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing failed."""
        return all(check.status is not CheckStatus.FAIL for check in self.checks)
