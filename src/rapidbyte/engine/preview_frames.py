"""Frames as Arrow batches, of which nothing is trusted: columns of docs/ABI.md §9, and every byte within its bounds.

What pyarrow reads without this may end the process where a frame is broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from rapidbyte.errors import ErrorInfo, FrameError

_NUMBERS = (pa.int16(), pa.int32(), pa.int64(), pa.float32(), pa.float64())
_OTHERS = (pa.bool_(), pa.utf8(), pa.binary(), pa.binary(16), pa.date32(), pa.time64("us"))
_ZONES = (None, "UTC")


def read_batches(frames: Sequence[bytes]) -> Iterator[pa.RecordBatch]:
    """Read a schema message and the batches that follow it. Raises FrameError with code `arrow`."""
    schema = _guarded(partial(_read_schema, frames[0]))
    for frame in frames[1:]:
        yield _guarded(partial(_read_batch, frame, schema))


def _guarded(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (pa.ArrowException, EOFError, OSError, ValueError) as error:
        raise _unreadable(str(error)) from error


def _read_schema(frame: bytes) -> pa.Schema:
    schema = pa.ipc.read_schema(pa.py_buffer(frame))
    for field in schema:
        if not _is_of_the_wire(field.type):
            raise _unreadable(f"column {field.name} is of type {field.type}")
    return schema


def _read_batch(frame: bytes, schema: pa.Schema) -> pa.RecordBatch:
    made_of = pa.schema([pa.field(field.name, _made_of(field.type), field.nullable) for field in schema])
    batch = pa.ipc.read_record_batch(pa.py_buffer(frame), made_of)
    batch.validate(full=True)
    columns = [column.view(field.type) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema) if columns else batch


def _is_of_the_wire(kind: Any) -> bool:
    if pa.types.is_decimal128(kind):
        return bool(0 <= kind.scale <= kind.precision)
    return (
        kind in _NUMBERS or kind in _OTHERS or (pa.types.is_timestamp(kind) and kind.unit == "us" and kind.tz in _ZONES)
    )


def _made_of(kind: Any) -> Any:
    """Return the type as which a column is checked: Arrow's own check knows neither NaN of a decimal nor 24:00:00."""
    if pa.types.is_decimal128(kind):
        return pa.binary(16)
    if pa.types.is_time64(kind) or pa.types.is_timestamp(kind):
        return pa.int64()
    return pa.int32() if pa.types.is_date32(kind) else kind


def _unreadable(why: str) -> FrameError:
    return FrameError(f"A frame is not the Arrow IPC that the ABI asks for: {why}.", ErrorInfo("arrow"))
