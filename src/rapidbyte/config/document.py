"""The keys of a pipeline document: their types, values and defaults.

Values are kept as they are written; `availability` says which of them this version can run, `build` turns them into
the model. An empty optional key counts as absent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    WithJsonSchema,
    model_validator,
)
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from rapidbyte.config.sizes import MAX_SIZE_BYTES, parse_size
from rapidbyte.model import MIB, Compression, StateBackend, SyncMode, WriteMode

OWN_ERROR = "rapidbyte"  # the pydantic error type whose message is ours


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError(OWN_ERROR, "must not be blank")
    return text


def _size(value: object) -> object:
    if isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError as error:
            raise PydanticCustomError(OWN_ERROR, "{reason}", {"reason": str(error)}) from None
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError(OWN_ERROR, "must be a size such as 64mb")
    return value


def _parallelism(value: object) -> object:
    if value == "auto":
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError(OWN_ERROR, "must be auto or a whole number of at least 1")
    return value


def _autotune(value: object) -> object:
    return {"enabled": value} if isinstance(value, bool) else value


def _unique(names: Sequence[str]) -> Sequence[str]:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise PydanticCustomError(OWN_ERROR, "names a column twice; keep one")
    return names


_SIZE_TEXT = {"type": "string", "pattern": r"^\s*[0-9]{1,15}\s*([kKmMgG][bB])?\s*$"}

Text = Annotated[StrictStr, AfterValidator(_not_blank), Field(json_schema_extra={"pattern": r"\S"})]
Size = Annotated[
    int,
    BeforeValidator(_size),
    Field(ge=0, le=MAX_SIZE_BYTES),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, _SIZE_TEXT]}),
]
MemorySize = Annotated[
    int,
    BeforeValidator(_size),
    Field(ge=1, le=MAX_SIZE_BYTES),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, _SIZE_TEXT]}),
]
AtLeastOne = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
AtLeastZero = Annotated[StrictInt, Field(ge=0, le=1_000_000_000_000)]
Parallelism = Annotated[
    Annotated[int, Field(ge=1, le=1024)] | None,
    BeforeValidator(_parallelism),
    WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 1024}]}),
]
Columns = Annotated[list[Text], Field(min_length=1, json_schema_extra={"uniqueItems": True}), AfterValidator(_unique)]


class Section(BaseModel):
    """A mapping of the document; keys that it does not know are refused."""

    # Only the whole document is ever validated: building each section by itself would double the time of the import.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {key: value for key, value in values.items() if value is not None or key not in cls.model_fields}


class Network(Section):
    allowed_hosts: list[Text] | None = None


class Environment(Section):
    allowed_vars: list[Text] | None = None


class Filesystem(Section):
    allowed_preopens: list[Text] | None = None


class PermissionsSection(Section):
    network: Network = Field(default_factory=Network.model_construct)
    env: Environment = Field(default_factory=Environment.model_construct)
    fs: Filesystem = Field(default_factory=Filesystem.model_construct)


class LimitsSection(Section):
    max_memory: MemorySize | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=31_536_000, strict=True)] = 300.0


class Connector(Section):
    use: Text
    config: dict[str, Any]
    permissions: PermissionsSection = Field(default_factory=PermissionsSection.model_construct)
    limits: LimitsSection = Field(default_factory=LimitsSection.model_construct)


class StreamSection(Section):
    name: Text
    sync_mode: SyncMode
    cursor_field: Text | None = None
    tie_breaker_field: Text | None = None
    null_cursor: Literal["fail", "skip"] = "fail"
    cursor_lag: Annotated[float, Field(ge=0, le=1e15, strict=True)] = 0.0
    columns: Columns | None = None
    partition_key: Text | None = None
    primary_key: Columns | None = None
    write_mode: WriteMode | None = None


class Source(Connector):
    streams: Annotated[list[StreamSection], Field(min_length=1)]


class SchemaEvolution(Section):
    new_column: Literal["add", "ignore", "fail"] = "add"
    removed_column: Literal["ignore", "fail"] = "ignore"
    type_change: Literal["coerce", "fail", "null"] = "fail"
    nullability_change: Literal["allow", "fail"] = "allow"

    @model_validator(mode="before")
    @classmethod
    def _refuse_bare_null(cls, values: Any) -> Any:
        """Tell the policy from a key that was left empty: without quotes, YAML reads both as nothing."""
        if isinstance(values, dict) and "type_change" in values and values["type_change"] is None:
            raise PydanticCustomError(OWN_ERROR, 'type_change is empty; write "null", in quotes, or coerce or fail')
        return values


class Destination(Connector):
    write_mode: WriteMode
    primary_key: Columns | None = None
    on_data_error: Literal["fail", "skip", "dlq"] = "fail"
    schema_evolution: SchemaEvolution = Field(default_factory=SchemaEvolution.model_construct)


class State(Section):
    backend: StateBackend = StateBackend.SQLITE
    connection: Text | None = None
    max_dead_letters: AtLeastOne = 100_000


class Autotune(Section):
    enabled: StrictBool = True
    parallelism: AtLeastOne | None = None
    partition_mode: Literal["range", "mod"] | None = None
    flush_bytes: MemorySize | None = None


class ResourcesSection(Section):
    parallelism: Annotated[Parallelism, Field(json_schema_extra={"default": "auto"})] = None
    max_memory: MemorySize = 256 * MIB
    max_batch_bytes: MemorySize = 64 * MIB
    max_inflight_batches: AtLeastOne = 16
    checkpoint_interval_bytes: Size = 64 * MIB
    checkpoint_interval_rows: AtLeastZero = 0
    checkpoint_interval_seconds: AtLeastZero = 0
    max_retries: AtLeastZero = 3
    compression: Compression = Compression.NONE
    autotune: Annotated[Autotune, BeforeValidator(_autotune, json_schema_input_type=StrictBool | Autotune)] = Field(
        default_factory=Autotune.model_construct
    )


class Document(Section):
    version: Literal["1.0"]
    pipeline: Text
    source: Source
    transforms: list[Connector] = []
    destination: Destination
    state: State = Field(default_factory=State.model_construct)
    resources: ResourcesSection = Field(default_factory=ResourcesSection.model_construct)
