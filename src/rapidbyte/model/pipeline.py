"""What is to be moved: a pipeline, with its connectors, its streams, and what a run of it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

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
