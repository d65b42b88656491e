"""Frames that a preview reads: whatever was done to them, they are read whole or refused, and the process lives."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from rapidbyte.engine.preview_rows import text_of_rows
from rapidbyte.errors import FrameError

_SEED = 20260101
_CASES = 5_000
_FIELDS: list[pa.Field[Any]] = [
    pa.field("i", pa.int32()),
    pa.field("t", pa.utf8()),
    pa.field("n", pa.decimal128(9, 2)),
    pa.field("u", pa.binary(16)),
    pa.field("b", pa.binary()),
    pa.field("d", pa.date32()),
    pa.field("m", pa.timestamp("us", "UTC")),
    pa.field("z", pa.time64("us")),
]
_SCHEMA = pa.schema(_FIELDS)
_ROWS = (
    {"i": 1, "t": "one", "n": Decimal("1.50"), "u": b"0" * 16, "b": b"\x00", "d": 1, "m": 1, "z": 86_400_000_000},
    {"i": None, "t": "\U0001f680", "n": None, "u": None, "b": b"", "d": None, "m": None, "z": None},
    {"i": 3, "t": None, "n": Decimal("-0.01"), "u": b"f" * 16, "b": None, "d": -1, "m": -1, "z": 0},
)


def _frames() -> tuple[bytes, bytes]:
    columns: list[Any] = []
    for field in _SCHEMA:
        values = [row[field.name] for row in _ROWS]
        whole = {"d": pa.int32(), "m": pa.int64(), "z": pa.int64()}.get(field.name)
        columns.append(pa.array(values, field.type) if whole is None else pa.array(values, whole).view(field.type))
    batch = pa.RecordBatch.from_arrays(columns, schema=_SCHEMA)
    return _SCHEMA.serialize().to_pybytes(), batch.serialize().to_pybytes()


def test_frames_that_were_changed_are_read_or_refused() -> None:
    whole = _frames()
    expected = text_of_rows(whole, 3)
    assert expected[0][-1] == "24:00:00"
    made_up = random.Random(_SEED)
    read = 0
    for _ in range(_CASES):
        frames = [bytearray(frame) for frame in whole]
        changed = made_up.choice(frames)
        for _ in range(made_up.randint(1, 3)):
            changed[made_up.randrange(len(changed))] = made_up.choice((0, 1, 0x7F, 0xFF, made_up.randrange(256)))
        with suppress(FrameError):
            text_of_rows([bytes(frame) for frame in frames], 3)
            read += 1
    assert 0 < read < _CASES * 3 // 4  # most changes are of headers, and some are of values only


@pytest.mark.parametrize("length", [0, 1, 8, 100])
def test_frames_that_were_cut_are_refused(length: int) -> None:
    schema, batch = _frames()
    for frames in ([schema[:length], batch], [schema, batch[:length]], [schema, schema], [batch, batch]):
        with pytest.raises(FrameError) as caught:
            text_of_rows(frames, 3)
        assert caught.value.code == "arrow"


@pytest.mark.parametrize(
    "kind",
    [pa.list_(pa.int32()), pa.uint32(), pa.binary(8), pa.dictionary(pa.int32(), pa.utf8()), pa.timestamp("ns")],
    ids=str,
)
def test_columns_that_are_not_of_the_wire_are_refused(kind: Any) -> None:
    schema = pa.schema([pa.field("x", kind)])
    with pytest.raises(FrameError, match="column x is of type"):
        text_of_rows([schema.serialize().to_pybytes()], 3)
