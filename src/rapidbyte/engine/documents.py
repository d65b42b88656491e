"""The JSON documents of the lifecycle: requests as the ABI wants them, answers as our own types (docs/ABI.md §3).

A connector's answer is checked here, once; what does not fit is an InternalError with code `bad_result`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rapidbyte.engine.resumption import Receipt
from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.model import CheckpointInterval, CheckStatus, Column, Detail, Holding, JsonObject, Stream, StreamSpec

NO_RUN = ""  # the id of what looks at streams and moves none


class _Column(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str
    type: str
    nullable: bool


class _Stream(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str
    columns: list[_Column]
    primary_key: list[str]
    estimated_rows: int | None = Field(default=None, ge=0)
    estimated_bytes: int | None = Field(default=None, ge=0)
    extent: int | None = Field(default=None, ge=0)
    identity: str | None = None


class _Streams(BaseModel):
    streams: list[_Stream]
    snapshot: dict[str, Any] | None = None
    is_endless: bool = False


class _ReshapedStream(_Stream):
    whole_stream: bool = False


class _ReshapedStreams(BaseModel):
    streams: list[_ReshapedStream]


class _Moved(BaseModel):
    model_config = ConfigDict(strict=True)
    index: int
    rows: int
    bytes: int


class _MovedStreams(BaseModel):
    streams: list[_Moved]


class _Receipt(BaseModel):
    model_config = ConfigDict(strict=True)
    run_id: str
    position: dict[str, Any] | None
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    is_complete: bool
    is_finished: bool


class _Resumed(BaseModel):
    receipt: _Receipt | None = None
    share: dict[str, Any] | None = None


class _Snapshotted(BaseModel):
    snapshot: dict[str, Any]
    positions: list[dict[str, Any]]


class _TargetPlan(BaseModel):
    model_config = ConfigDict(strict=True)
    index: int
    changes: list[str]


class _TargetPlans(BaseModel):
    streams: list[_TargetPlan] = []


class _Finding(BaseModel):
    name: str
    status: CheckStatus
    message: str


class _Findings(BaseModel):
    checks: list[_Finding]


class _Holding(BaseModel):
    model_config = ConfigDict(strict=True)
    kind: str
    name: str
    is_ours: bool
    is_dropped: bool
    details: dict[str, Detail]


class _Holdings(BaseModel):
    holdings: list[_Holding] = []  # of a guest without the call


_STREAMS = TypeAdapter(_Streams)
_RESHAPED = TypeAdapter(_ReshapedStreams)
_MOVED = TypeAdapter(_MovedStreams)
_FINDINGS = TypeAdapter(_Findings)
_HOLDINGS = TypeAdapter(_Holdings)
_RESUMED = TypeAdapter(_Resumed)
_SNAPSHOTTED = TypeAdapter(_Snapshotted)
_TARGET_PLANS = TypeAdapter(_TargetPlans)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `rb_check` found."""

    name: str
    status: CheckStatus
    message: str


@dataclass(frozen=True, slots=True)
class Reshaped:
    """The streams as they leave a transform, and the indices of those of which one instance must see every row."""

    streams: tuple[Stream, ...]
    whole: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Resumed:
    """What `rb_resume` gave: a destination may keep receipts, and may have one.

    `share` is by what several lanes may write the stream, None where one must.
    """

    has_receipts: bool
    receipt: Receipt | None
    share: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class Snapshotted:
    """What lanes must see that make first copies, and by stream the position that its copy is the rows of."""

    snapshot: JsonObject
    positions: Mapping[int, JsonObject]


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several lanes does of a stream: which of its readers it is, and by what it writes."""

    is_first: bool
    share: JsonObject


def prepare_request(
    pipeline: str,
    run_id: str,
    specs: tuple[StreamSpec, ...],
    sources: tuple[Stream, ...] | None,
    *,
    lanes: int = 1,
    snapshot: JsonObject | None = None,
) -> Mapping[str, object]:
    """Ask for streams; `sources` is how they come to the connector, None for the source itself.

    `lanes` is how many may be at work at once, `snapshot` what a source that was prepared before sees.
    """
    return {
        "pipeline": pipeline,
        "run_id": run_id,
        "lanes": lanes,
        "snapshot": snapshot,
        "streams": [
            {
                "index": index,
                "name": spec.name,
                "columns": _list(spec.columns),
                "sync_mode": spec.sync_mode.value,
                "write_mode": spec.write_mode.value,
                "cursor_field": spec.cursor_field,
                "tie_breaker_field": spec.tie_breaker_field,
                "null_cursor": spec.null_cursor.value,
                "cursor_lag": spec.cursor_lag,
                "primary_key": _list(spec.primary_key),
                "on_data_error": spec.on_data_error.value,
                "schema_evolution": {
                    "new_column": spec.schema_evolution.new_column.value,
                    "removed_column": spec.schema_evolution.removed_column.value,
                    "type_change": spec.schema_evolution.type_change.value,
                    "nullability_change": spec.schema_evolution.nullability_change.value,
                },
                "source": None if sources is None else _document_of(sources[index]),
            }
            for index, spec in enumerate(specs)
        ],
    }


def resume_request(stream: int, attempt: int, *, is_shared: bool) -> Mapping[str, object]:
    """Ask to take over one stream; `is_shared` when several lanes would move it."""
    return {"stream": stream, "attempt": attempt, "is_shared": is_shared}


def snapshot_request(positions: Mapping[int, JsonObject | None], copied: tuple[int, ...]) -> Mapping[str, object]:
    """Ask for the snapshot that some streams are copied from; `positions` has those of all streams of the log."""
    return {"streams": list(positions), "positions": list(positions.values()), "copied": list(copied)}


def publish_request(stream: int, rows: int, size_bytes: int, position: JsonObject | None) -> Mapping[str, object]:
    """Ask to make durable what several lanes wrote of a stream, which goes on at `position`, if it does."""
    return {"stream": stream, "rows": rows, "bytes": size_bytes, "position": position}


def run_request(
    stream: int,
    batch_rows: int,
    batch_bytes: int,
    position: JsonObject | None,
    checkpoint: CheckpointInterval,
    part: Part | None = None,
) -> Mapping[str, object]:
    """Ask to move one stream from `position` on, or a part of it."""
    return {
        "streams": [stream],
        "batch_rows": batch_rows,
        "batch_bytes": batch_bytes,
        "positions": [position],
        "checkpoint": {"rows": checkpoint.rows, "bytes": checkpoint.size_bytes, "seconds": checkpoint.seconds},
        "reader": None if part is None else "first" if part.is_first else "further",
        "share": None if part is None else part.share,
    }


def read_snapshot(value: object, connector: str) -> JsonObject | None:
    """Read what a source's `rb_prepare` gave for others to see the same as it does."""
    snapshot: JsonObject | None = _read(_STREAMS, value, connector).snapshot
    return snapshot


def read_is_endless(value: object, connector: str) -> bool:
    """Read whether a source reads on until it is asked to stop."""
    is_endless: bool = _read(_STREAMS, value, connector).is_endless
    return is_endless


def read_streams(value: object, connector: str) -> tuple[Stream, ...]:
    """Read the streams that `rb_discover` or a source's `rb_prepare` gave."""
    return tuple(_stream_of(stream) for stream in _read(_STREAMS, value, connector).streams)


def read_reshaped(value: object, connector: str, streams: tuple[Stream, ...]) -> Reshaped:
    """Read what a transform's `rb_prepare` gave for `streams`, which come from the same tables as before."""
    found = _read(_RESHAPED, value, connector).streams
    wanted, given = [stream.name for stream in streams], [stream.name for stream in found]
    if given != wanted:
        raise _unusable(connector, f"it was asked for {', '.join(wanted)} and answered with {', '.join(given)}")
    whole = frozenset(index for index, stream in enumerate(found) if stream.whole_stream)
    pairs = zip(found, streams, strict=True)
    return Reshaped(tuple(replace(_stream_of(after), identity=before.identity) for after, before in pairs), whole)


def read_target_plans(value: object, connector: str) -> Mapping[int, tuple[str, ...]]:
    """Read what a destination's `rb_prepare` gave: by stream, what it will change in the target, for people."""
    return {plan.index: tuple(plan.changes) for plan in _read(_TARGET_PLANS, value, connector).streams}


def read_resumed(value: object, connector: str) -> Resumed:
    """Read what `rb_resume` gave; a destination that keeps no receipts does not even say that there is none."""
    found = _read(_RESUMED, value, connector)
    receipt = None
    if found.receipt is not None:
        receipt = Receipt(
            run_id=found.receipt.run_id,
            position=found.receipt.position,
            rows=found.receipt.rows,
            size_bytes=found.receipt.bytes,
            is_complete=found.receipt.is_complete,
            is_finished=found.receipt.is_finished,
        )
    return Resumed("receipt" in found.model_fields_set, receipt, found.share)


def read_snapshotted(value: object, connector: str, copied: tuple[int, ...]) -> Snapshotted:
    """Read what `rb_snapshot` gave for the streams `copied`."""
    found = _read(_SNAPSHOTTED, value, connector)
    if len(found.positions) != len(copied):
        raise _unusable(connector, f"it gave {len(found.positions)} positions for {len(copied)} streams")
    return Snapshotted(found.snapshot, dict(zip(copied, found.positions, strict=True)))


def read_findings(value: object, connector: str) -> tuple[Finding, ...]:
    """Read what `rb_check` gave."""
    return tuple(Finding(item.name, item.status, item.message) for item in _read(_FINDINGS, value, connector).checks)


def read_holdings(value: object, connector: str) -> tuple[Holding, ...]:
    """Read what `rb_holdings` gave."""
    return tuple(
        Holding(item.kind, item.name, item.is_ours, item.is_dropped, item.details)
        for item in _read(_HOLDINGS, value, connector).holdings
    )


def require_moved(value: object, connector: str, stream: int, rows: int) -> None:
    """Raise InternalError unless `rb_run` gave exactly the stream that was asked for, and counted as we did."""
    require_all_moved(value, connector, {stream: rows})


def require_all_moved(value: object, connector: str, rows: Mapping[int, int]) -> None:
    """Raise InternalError unless `rb_run` gave exactly the streams that were asked for, in order, with these rows."""
    moved = [(item.index, item.rows) for item in _read(_MOVED, value, connector).streams]
    if moved != list(rows.items()):
        raise _unusable(connector, f"it says it moved {moved} (stream, rows), but it moved {list(rows.items())}")


def _read(adapter: TypeAdapter[Any], value: object, connector: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _unusable(connector, f"{place}: {first['msg']}") from error


def _list(names: tuple[str, ...] | None) -> list[str] | None:
    return None if names is None else list(names)


def _stream_of(stream: _Stream) -> Stream:
    return Stream(
        name=stream.name,
        columns=tuple(Column(column.name, column.type, column.nullable) for column in stream.columns),
        primary_key=tuple(stream.primary_key),
        estimated_rows=stream.estimated_rows,
        estimated_bytes=stream.estimated_bytes,
        extent=stream.extent,
        identity=stream.identity,
    )


def _document_of(stream: Stream) -> Mapping[str, object]:
    return {
        "name": stream.name,
        "columns": [{"name": part.name, "type": part.type, "nullable": part.nullable} for part in stream.columns],
        "primary_key": list(stream.primary_key),
        "estimated_rows": stream.estimated_rows,
        "estimated_bytes": stream.estimated_bytes,
        "extent": stream.extent,
        "identity": stream.identity,
    }


def _unusable(connector: str, why: str) -> InternalError:
    return InternalError(
        f"{connector} gave a result that cannot be used: {why}. This is a fault of the connector; please report it.",
        ErrorInfo("bad_result", details=(("connector", connector),)),
    )
