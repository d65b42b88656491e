"""The vocabulary of a pipeline: what is read, where it goes, and what came of it.

Everything here is immutable and already valid: documents are checked in `config`, before they become these.
Sizes are bytes, durations are seconds, counts are rows unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Self

KIB = 1024
MIB = 1024 * KIB

JsonObject = Mapping[str, Any]  # a decoded JSON document; its shape is the connector's own


class Kind(Enum):
    """What a connector does in a pipeline."""

    SOURCE = "source"
    DESTINATION = "destination"
    TRANSFORM = "transform"


class SyncMode(Enum):
    """How a stream is read."""

    FULL_REFRESH = "full_refresh"
    INCREMENTAL = "incremental"
    CDC = "cdc"


class WriteMode(Enum):
    """How rows meet those that the target has already."""

    APPEND = "append"
    REPLACE = "replace"
    UPSERT = "upsert"


class DataErrorPolicy(Enum):
    """What happens to a row that cannot be moved."""

    FAIL = "fail"
    SKIP = "skip"
    DLQ = "dlq"


class NullCursor(Enum):
    """What becomes of rows whose cursor is NULL."""

    FAIL = "fail"
    SKIP = "skip"


class NewColumn(Enum):
    """What becomes of a column that the source has and the target has not."""

    ADD = "add"
    IGNORE = "ignore"
    FAIL = "fail"


class RemovedColumn(Enum):
    """What becomes of a column that the target has and the source has not."""

    IGNORE = "ignore"
    FAIL = "fail"


class TypeChange(Enum):
    """What becomes of a column whose type differs."""

    COERCE = "coerce"
    FAIL = "fail"
    NULL = "null"


class NullabilityChange(Enum):
    """What becomes of a column that may be NULL at the source and not in the target."""

    ALLOW = "allow"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class SchemaEvolution:
    """The policies for what differs between a stream and its target, found before the first row."""

    new_column: NewColumn = NewColumn.ADD
    removed_column: RemovedColumn = RemovedColumn.IGNORE
    type_change: TypeChange = TypeChange.FAIL
    nullability_change: NullabilityChange = NullabilityChange.ALLOW


class Compression(Enum):
    """How batches are packed while they wait between two stages."""

    NONE = "none"
    LZ4 = "lz4"
    ZSTD = "zstd"


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a connector may reach; None leaves what its manifest asks for, an empty tuple allows nothing."""

    allowed_hosts: tuple[str, ...] | None = None
    allowed_vars: tuple[str, ...] | None = None
    allowed_preopens: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """The most a connector may use; None leaves the manifest's limit, or none."""

    max_memory_bytes: int | None = None
    timeout_s: float = 300.0


@dataclass(frozen=True, slots=True)
class ConnectorSpec:
    """One connector of a pipeline. `use` is a short name or the path of a `.wasm` file."""

    use: str
    config: JsonObject
    permissions: Permissions = Permissions()
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """One table to move. `columns` None means all of them; `name` is `table` or `schema.table`.

    The cursor's fields are for incremental; `cursor_lag` is how far a read stays behind, in seconds before the clock or
    units below the greatest value. `primary_key` is what an upsert goes by; None leaves it to the source's own.
    """

    name: str
    sync_mode: SyncMode
    write_mode: WriteMode
    columns: tuple[str, ...] | None = None
    cursor_field: str | None = None
    tie_breaker_field: str | None = None
    null_cursor: NullCursor = NullCursor.FAIL
    cursor_lag: float = 0.0
    primary_key: tuple[str, ...] | None = None
    on_data_error: DataErrorPolicy = DataErrorPolicy.FAIL
    schema_evolution: SchemaEvolution = SchemaEvolution()


@dataclass(frozen=True, slots=True)
class CheckpointInterval:
    """After how much a destination makes durable what it has, where a stream can be resumed there; 0 is never."""

    rows: int = 0
    size_bytes: int = 64 * MIB
    seconds: int = 0


@dataclass(frozen=True, slots=True)
class Resources:
    """How much a run may use. A stream is tried 1 + `max_retries` times.

    `parallelism` None lets the engine choose, by measuring where `is_tuned`. `flush_bytes` is what batches aim at.
    """

    parallelism: int | None = None
    max_memory_bytes: int = 256 * MIB
    max_batch_bytes: int = 64 * MIB
    max_inflight_batches: int = 16
    compression: Compression = Compression.NONE
    checkpoint: CheckpointInterval = CheckpointInterval()
    max_retries: int = 3
    is_tuned: bool = True
    flush_bytes: int | None = None


class StateBackend(Enum):
    """What keeps the state of pipelines."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


class StateScope(Enum):
    """Whose a value is that a connector keeps from one run to the next."""

    PIPELINE = "pipeline"
    STREAM = "stream"
    CONNECTOR = "connector"


@dataclass(frozen=True, slots=True)
class StateSpec:
    """Where the state is: the path of a file or a connection string; None is the user's own file.

    `max_dead_letters` bounds the rows of one pipeline that wait in the dead-letter queue.
    """

    backend: StateBackend = StateBackend.SQLITE
    connection: str | None = field(default=None, repr=False)  # it may hold a password
    max_dead_letters: int = 100_000


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A whole pipeline document, checked."""

    name: str
    source: ConnectorSpec
    destination: ConnectorSpec
    streams: tuple[StreamSpec, ...]
    transforms: tuple[ConnectorSpec, ...] = ()  # in the order in which rows pass them
    resources: Resources = Resources()
    state: StateSpec = StateSpec()


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its source describes it; `type` is the source's own name of the type."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A table as its source describes it; estimates are None where the source has none.

    It can be cut into any ranges of 0 to `extent`, of about equal size each; None where it is read as a whole.
    `identity` tells its table from every other, in the source's own words.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    estimated_rows: int | None
    estimated_bytes: int | None
    extent: int | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a source offers."""

    streams: tuple[Stream, ...]


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


@dataclass(frozen=True, slots=True)
class StreamPreview:
    """The first rows of a stream as text, None for NULL; nothing of it was written."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]


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


Detail = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Holding:
    """What a source keeps for a pipeline between its runs; only what `is_ours`, made for it, is ever dropped."""

    kind: str
    name: str
    is_ours: bool
    is_dropped: bool
    details: Mapping[str, Detail]


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All checks of a pipeline."""

    checks: tuple[Check, ...]

    @property
    def is_ok(self) -> bool:
        """Whether nothing failed."""
        return all(check.status is not CheckStatus.FAIL for check in self.checks)
