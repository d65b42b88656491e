"""The ranges of a stream: whoever takes them, and in whatever order, together they are all of it, each part once."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rapidbyte.engine.ranges import OPEN_END, Ranges, range_end

_EXTENTS = st.integers(1, 2**32)
_LANES = st.integers(1, 64)
_LEAST = st.integers(1, 4096)


@given(st.integers(1, 2**24), _LANES, _LEAST, st.lists(st.booleans(), max_size=50))
def test_ranges_are_all_of_the_stream_and_each_place_of_it_once(
    extent: int, lanes: int, least: int, takers: list[bool]
) -> None:
    ranges = Ranges(extent, lanes, least)
    taken = [range_ for is_lead in takers if (range_ := ranges.take(is_lead=is_lead)) is not None]
    taken += iter(lambda: ranges.take(is_lead=True), None)
    assert taken[0][0] == 0
    assert taken[-1][1] == OPEN_END
    assert ranges.is_exhausted
    assert all(left[1] == right[0] for left, right in itertools.pairwise(taken))
    assert all(begin < end for begin, end in taken)
    assert all(begin < extent for begin, _ in taken)


@given(_EXTENTS, _LANES, _LEAST, st.floats(0, 1))
def test_no_range_is_small_but_that_of_a_small_stream(extent: int, lanes: int, least: int, place: float) -> None:
    begin = int(place * (extent - 1))
    end = range_end(begin, extent, lanes, least)
    assert end == OPEN_END or (end - begin >= least and extent - end >= least)
    assert end == OPEN_END or end - begin <= max(least, 8192)


@given(st.integers(1, 2**24), st.integers(0, 5))
def test_helpers_that_are_let_go_take_nothing_and_the_first_lane_takes_the_rest(extent: int, released: int) -> None:
    ranges = Ranges(extent, lanes=3, least=16)
    ranges.release(released)
    assert [ranges.take(is_lead=False) for _ in range(released)] == [None] * released
    assert not ranges.is_begun
    assert ranges.left == extent
    assert ranges.take(is_lead=True) is not None
