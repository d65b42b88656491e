"""Which streams several lanes move, and how many."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rapidbyte.engine.division import Division, Parallelism, divide, divide_copies
from rapidbyte.engine.pace import Pace
from rapidbyte.model import Stream, StreamSpec, SyncMode, WriteMode

_SPEC = StreamSpec("t", SyncMode.FULL_REFRESH, WriteMode.APPEND)
_STREAM = Stream("s.t", (), (), None, None, extent=1_000_000)
_MEASURED = Parallelism(4, processors=2, is_measured=True)
_PINNED = Parallelism(4, processors=2, is_measured=False)


def test_pinned_number_is_what_a_stream_gets() -> None:
    assert divide(_SPEC, _STREAM, _PINNED) == Division(1_000_000, 16, Pace.pinned(4))


def test_measuring_begins_with_two_or_one_on_one_processor() -> None:
    assert divide(_SPEC, _STREAM, _MEASURED) == Division(1_000_000, 256, Pace(2, 4))
    assert divide(_SPEC, _STREAM, replace(_MEASURED, processors=1)) == Division(1_000_000, 256, Pace(1, 4))


@pytest.mark.parametrize(
    ("parallelism", "extent", "lanes"),
    [(_MEASURED, 4095, 1), (_MEASURED, 4096, 2), (_MEASURED, 6144, 3), (_PINNED, 127, 1), (_PINNED, 128, 2)],
)
def test_small_tables_have_fewer_lanes(parallelism: Parallelism, extent: int, lanes: int) -> None:
    division = divide(_SPEC, replace(_STREAM, extent=extent), parallelism)
    assert (1 if division is None else division.pace.most) == lanes


@pytest.mark.parametrize(
    ("spec", "stream", "parallelism"),
    [
        (_SPEC, replace(_STREAM, extent=None), _PINNED),
        (_SPEC, _STREAM, replace(_PINNED, lanes=1)),
        (replace(_SPEC, write_mode=WriteMode.UPSERT), _STREAM, _PINNED),
        (replace(_SPEC, sync_mode=SyncMode.INCREMENTAL, cursor_field="id"), _STREAM, _PINNED),
    ],
)
def test_stream_that_cannot_be_taken_back_or_cut_has_one_lane(
    spec: StreamSpec, stream: Stream, parallelism: Parallelism
) -> None:
    assert divide(spec, stream, parallelism) is None


@pytest.mark.parametrize(
    ("parallelism", "extents", "lanes"),
    [
        (_PINNED, {0: 1000}, {0: 4}),
        (_PINNED, {0: 64, 2: 64}, {0: 1, 2: 1}),
        (_PINNED, {0: 200, 1: 0}, {0: 3, 1: 1}),
        (_PINNED, {0: 64, 1: 63}, {}),
        (_MEASURED, {0: 4095}, {}),
        (_MEASURED, {0: 4095, 1: 1}, {0: 1, 1: 1}),
        (replace(_PINNED, lanes=1), {0: 1_000_000}, {}),
    ],
)
def test_first_copies_are_worth_several_lanes_together(
    parallelism: Parallelism, extents: dict[int, int], lanes: dict[int, int]
) -> None:
    streams = {index: replace(_STREAM, extent=extent) for index, extent in extents.items()}
    divisions = divide_copies({**streams, 9: replace(_STREAM, extent=None)}, parallelism)
    assert {index: division.pace.most for index, division in divisions.items()} == lanes
    assert all(division.extent == extents[index] for index, division in divisions.items())
