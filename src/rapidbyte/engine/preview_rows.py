"""Rows of Arrow batches as text, such as Postgres would print them (docs/ABI.md §9)."""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from rapidbyte.engine.preview_frames import read_batches

Cell = str | None

_MICROSECONDS = 86_400_000_000
_NAN = (1 << 127) - 1  # the unscaled value that stands for NaN in a decimal
_LEAST, _GREATEST = {32: -(2**31), 64: -(2**63)}, {32: 2**31 - 1, 64: 2**63 - 1}
_LATEST = -(2**63) + 946_684_800_000_000  # below this, moments after 294247-01-10 that wrapped around


def text_of_rows(frames: Sequence[bytes], limit: int) -> tuple[tuple[Cell, ...], ...]:
    """Return at most `limit` rows of a schema message and the batches that follow it; none without a schema.

    Raises FrameError with code `arrow`.
    """
    if not frames:
        return ()
    rows: list[tuple[Cell, ...]] = []
    for batch in read_batches(frames):
        columns = [_texts(column) for column in batch.columns]
        rows += zip(*columns, strict=True) if columns else [()] * batch.num_rows
    return tuple(rows[:limit])


def _texts(column: Any) -> list[Cell]:
    kind = column.type
    if pa.types.is_date32(kind):
        return _each(column.view(pa.int32()), lambda days: _bounded(days, 32, date_text))
    if pa.types.is_timestamp(kind):
        zone = "" if kind.tz is None else "+00"
        return _each(column.view(pa.int64()), lambda us: _bounded(us, 64, lambda us: timestamp_text(us) + zone))
    if pa.types.is_time64(kind):
        return _each(column.view(pa.int64()), time_text)
    if pa.types.is_decimal128(kind):
        return _each(column, _decimal_text)
    if pa.types.is_fixed_size_binary(kind):
        return _each(column, lambda value: str(uuid.UUID(bytes=value)))
    if pa.types.is_binary(kind):
        return _each(column, lambda value: f"\\x{value.hex()}")
    if pa.types.is_floating(kind):
        return _each(column, lambda value: _float_text(value, is_single=pa.types.is_float32(kind)))
    if pa.types.is_boolean(kind):
        return _each(column, lambda value: "true" if value else "false")
    return _each(column, str)


def _each(column: Any, text: Callable[[Any], str]) -> list[Cell]:
    return [None if value is None else text(value) for value in column.to_pylist()]


def _bounded(value: int, bits: int, text: Callable[[int], str]) -> str:
    if value == _GREATEST[bits]:
        return "infinity"
    return "-infinity" if value == _LEAST[bits] else text(value)


def _decimal_text(value: Decimal) -> str:
    digits = value.as_tuple().digits
    return "NaN" if int("".join(map(str, digits))) == _NAN else f"{value:f}"


def _float_text(value: float, *, is_single: bool) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    text = repr(value)
    if is_single:  # as few digits as tell it apart from its neighbours
        candidates = (f"{value:.{digits}g}" for digits in range(6, 10))
        text = next((text for text in candidates if _single(float(text)) == value), text)
    return text.removesuffix(".0")


def _single(value: float) -> float:
    narrowed: float = struct.unpack("f", struct.pack("f", value))[0]
    return narrowed


def date_text(days: int) -> str:
    """Return a day since 1970-01-01 in the Gregorian calendar, however far; years before 1 are marked BC.

    Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    """
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    era_mark = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04}-{month:02}-{day_of_year - (153 * shifted + 2) // 5 + 1:02}{era_mark}"


def time_text(microseconds: int) -> str:
    """Return a time of the day; 24:00:00 is one too."""
    seconds, fraction = divmod(microseconds, 1_000_000)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{fraction:06}".rstrip("0") if fraction else text


def timestamp_text(microseconds: int) -> str:
    """Return a moment since 1970-01-01."""
    if microseconds < _LATEST:
        microseconds += 1 << 64
    days, rest = divmod(microseconds, _MICROSECONDS)
    date, _, era_mark = date_text(days).partition(" ")
    return f"{date} {time_text(rest)}{' ' + era_mark if era_mark else ''}"
