"""Rows of Arrow batches as text: each form that docs/ABI.md §9 names, its extremes, and NULL."""

from __future__ import annotations

import datetime
import sys
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidbyte.engine import preview_pipeline
from rapidbyte.engine.preview_rows import date_text, text_of_rows, time_text, timestamp_text
from rapidbyte.errors import ConfigError

_NAN = Decimal((1 << 127) - 1)
_DAY = 86_400_000_000


def frames(array: pa.Array[Any], *more: pa.Array[Any]) -> list[bytes]:
    """Return the messages of a one-column table, a batch for each array."""
    schema = pa.schema([pa.field("x", array.type)])
    batches = [pa.record_batch([part], schema=schema) for part in (array, *more)]
    return [schema.serialize().to_pybytes(), *(batch.serialize().to_pybytes() for batch in batches)]


def texts(array: pa.Array[Any]) -> list[str | None]:
    return [cell for (cell,) in text_of_rows(frames(array), 100)]


def stored(values: list[int | None], kind: pa.DataType, width: pa.DataType) -> pa.Array[Any]:
    return pa.array(values, width).view(kind)


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([True, False, None]), ["true", "false", None]),
        (pa.array([-(2**63), 0, None], pa.int64()), ["-9223372036854775808", "0", None]),
        (pa.array([1.0, -0.0, 1e300, float("nan"), float("inf"), float("-inf")], pa.float64()),
         ["1", "-0", "1e+300", "NaN", "Infinity", "-Infinity"]),
        (pa.array([0.1, 3.4028235e38, 1 / 3, None], pa.float32()), ["0.1", "3.4028235e+38", "0.33333334", None]),
        (pa.array(["", "Ünï\n", None]), ["", "Ünï\n", None]),
        (pa.array([b"", b"\x00\xff", None]), ["\\x", "\\x00ff", None]),
        (pa.array([uuid.UUID(int=255).bytes, None], pa.binary(16)), ["00000000-0000-0000-0000-0000000000ff", None]),
        (
            stored([0, -719_163, 2_932_896, 2**31 - 1, -(2**31), None], pa.date32(), pa.int32()),
            ["1970-01-01", "0001-12-31 BC", "9999-12-31", "infinity", "-infinity", None],
        ),
        (
            stored([0, 1, -1, 2**63 - 1, -(2**63), None], pa.timestamp("us"), pa.int64()),
            ["1970-01-01 00:00:00", "1970-01-01 00:00:00.000001", "1969-12-31 23:59:59.999999", "infinity",
             "-infinity", None],
        ),
        (stored([0, 2**63 - 1], pa.timestamp("us", "UTC"), pa.int64()), ["1970-01-01 00:00:00+00", "infinity"]),
        (stored([0, _DAY, 1_500_000, None], pa.time64("us"), pa.int64()), ["00:00:00", "24:00:00", "00:00:01.5", None]),
        (pa.array([Decimal("1.50"), Decimal("-0.01"), None], pa.decimal128(5, 2)), ["1.50", "-0.01", None]),
        (pa.array([Decimal(7)], pa.decimal128(38, 0)), ["7"]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_values_are_printed_as_postgres_would(array: pa.Array[Any], expected: list[str | None]) -> None:
    assert texts(array) == expected


def test_nan_of_a_numeric_is_told() -> None:
    unscaled = ((1 << 127) - 1).to_bytes(16, "little")
    array: Any = pa.Array.from_buffers(pa.decimal128(38, 2), 1, [None, pa.py_buffer(unscaled)])
    assert texts(array) == ["NaN"]


def test_rows_of_several_batches_are_cut_at_the_limit() -> None:
    both = frames(pa.array([1, 2]), pa.array([3, 4]))
    assert text_of_rows(both, 3) == (("1",), ("2",), ("3",))
    assert text_of_rows(both[:1], 3) == ()
    assert text_of_rows([], 3) == ()


@settings(deadline=None)
@given(st.dates())
def test_dates_are_those_of_the_calendar(date: datetime.date) -> None:
    assert date_text(date.toordinal() - datetime.date(1970, 1, 1).toordinal()) == date.isoformat()


@settings(deadline=None)
@given(st.datetimes())
def test_moments_are_those_of_the_calendar(moment: datetime.datetime) -> None:
    microseconds = (moment - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    seconds = moment.strftime("%H:%M:%S")
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    assert timestamp_text(microseconds) == f"{moment.date().isoformat()} {seconds}{fraction}"
    assert time_text(microseconds % _DAY) == f"{seconds}{fraction}"


@pytest.mark.parametrize(("days", "text"), [(-719_162 - 366, "0001-01-01 BC"), (2_145_042_905, "5874897-12-31")])
def test_days_far_away_have_a_date(days: int, text: str) -> None:
    assert date_text(days) == text


def test_latest_moments_that_wrapped_around_are_told() -> None:
    assert timestamp_text(-9_222_426_057_709_551_617) == "294276-12-31 23:59:59.999999"


def test_moments_before_our_era_end_with_its_mark() -> None:
    assert timestamp_text((-719_162 - 1) * _DAY + 3_600_000_000) == "0001-12-31 01:00:00 BC"


def test_missing_library_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "rapidbyte.engine.preview_rows")
    with pytest.raises(ConfigError, match="Showing rows needs the library pyarrow") as caught:
        preview_pipeline({})
    assert caught.value.code == "preview_needs_pyarrow"
    assert caught.value.message.endswith("Install it with: pip install 'rapidbyte[preview]'")
