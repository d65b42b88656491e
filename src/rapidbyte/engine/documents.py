"""The JSON documents of the lifecycle: requests as the ABI wants them, answers as our own types (docs/ABI.md §3).

A connector's answer is checked here, once; what does not fit is an InternalError with code `bad_result`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.model import CheckStatus, Column, Stream, StreamSpec


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


class _Streams(BaseModel):
    streams: list[_Stream]


class _Moved(BaseModel):
    model_config = ConfigDict(strict=True)
    index: int
    rows: int
    bytes: int


class _MovedStreams(BaseModel):
    streams: list[_Moved]


class _Finding(BaseModel):
    name: str
    status: CheckStatus
    message: str


class _Findings(BaseModel):
    checks: list[_Finding]


_STREAMS = TypeAdapter(_Streams)
_MOVED = TypeAdapter(_MovedStreams)
_FINDINGS = TypeAdapter(_Findings)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what `rb_check` found."""

    name: str
    status: CheckStatus
    message: str


def prepare_request(specs: tuple[StreamSpec, ...], sources: tuple[Stream, ...] | None) -> Mapping[str, object]:
    """Ask for streams; `sources` is what the source said of them, None for the source itself."""
    return {
        "streams": [
            {
                "index": index,
                "name": spec.name,
                "columns": None if spec.columns is None else list(spec.columns),
                "sync_mode": spec.sync_mode.value,
                "write_mode": spec.write_mode.value,
                "source": None if sources is None else _document_of(sources[index]),
            }
            for index, spec in enumerate(specs)
        ]
    }


def run_request(stream: int, batch_rows: int, batch_bytes: int) -> Mapping[str, object]:
    """Ask to move one stream."""
    return {"streams": [stream], "batch_rows": batch_rows, "batch_bytes": batch_bytes}


def read_streams(value: object, connector: str) -> tuple[Stream, ...]:
    """Read the streams that `rb_discover` or a source's `rb_prepare` gave."""
    return tuple(
        Stream(
            name=stream.name,
            columns=tuple(Column(column.name, column.type, column.nullable) for column in stream.columns),
            primary_key=tuple(stream.primary_key),
            estimated_rows=stream.estimated_rows,
            estimated_bytes=stream.estimated_bytes,
        )
        for stream in _read(_STREAMS, value, connector).streams
    )


def read_findings(value: object, connector: str) -> tuple[Finding, ...]:
    """Read what `rb_check` gave."""
    return tuple(Finding(item.name, item.status, item.message) for item in _read(_FINDINGS, value, connector).checks)


def require_moved(value: object, connector: str, stream: int, rows: int) -> None:
    """Raise InternalError unless `rb_run` gave exactly the stream that was asked for, and counted as we did."""
    moved = [(item.index, item.rows) for item in _read(_MOVED, value, connector).streams]
    if moved != [(stream, rows)]:
        raise _unusable(connector, f"it says it moved {moved} (stream, rows), but it moved {[(stream, rows)]}")


def _read(adapter: TypeAdapter[Any], value: object, connector: str) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _unusable(connector, f"{place}: {first['msg']}") from error


def _document_of(stream: Stream) -> Mapping[str, object]:
    return {
        "name": stream.name,
        "columns": [{"name": part.name, "type": part.type, "nullable": part.nullable} for part in stream.columns],
        "primary_key": list(stream.primary_key),
        "estimated_rows": stream.estimated_rows,
        "estimated_bytes": stream.estimated_bytes,
    }


def _unusable(connector: str, why: str) -> InternalError:
    return InternalError(
        f"{connector} gave a result that cannot be used: {why}. This is a fault of the connector; please report it.",
        ErrorInfo("bad_result", details=(("connector", connector),)),
    )
