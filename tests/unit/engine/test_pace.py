"""One lane more as long as each made a stream faster."""

from __future__ import annotations

from rapidbyte.engine.pace import Pace


def _measured(pace: Pace, rates: dict[int, float]) -> list[int]:
    """Return the numbers of lanes that are at work until nothing changes, with the speed of each number."""
    tried, now_s, size_bytes = [pace.lanes], 0.0, 0.0
    for _ in range(200):
        pace = pace.after(now_s, pace.lanes, int(size_bytes), left_s=60.0)
        if pace.lanes != tried[-1]:
            tried.append(pace.lanes)
        now_s += 0.1
        size_bytes += rates[pace.lanes] * 0.1
    assert pace.is_settled
    return tried


def test_lanes_are_added_up_to_the_limit_while_each_is_a_gain() -> None:
    assert _measured(Pace(2, 4), {2: 1e6, 3: 1.1e6, 4: 1.3e6}) == [2, 3, 4]


def test_lane_that_gains_nothing_is_let_go_and_no_other_is_tried() -> None:
    assert _measured(Pace(2, 8), {2: 1e6, 3: 1.04e6}) == [2, 3, 2]
    assert _measured(Pace(1, 8), {1: 1e6, 2: 2e6, 3: 2.8e6, 4: 2.8e6}) == [1, 2, 3, 4, 3]


def test_limit_of_the_first_lanes_changes_nothing() -> None:
    assert _measured(Pace(2, 2), {2: 1e6}) == [2]


def test_time_counts_only_while_all_lanes_are_at_work() -> None:
    pace = Pace(2, 3)
    for tenths in range(100):
        pace = pace.after(tenths / 10, 1, tenths * 1000, 60.0)
    assert pace == Pace(2, 3)
    steps = ((10.0, 2, 5000), (10.9, 2, 9000), (10.95, 1, 9100), (11.0, 2, 9200))
    for step in steps:
        pace = pace.after(*step, 60.0)
    assert (pace.lanes, pace.begun_s, pace.begun_bytes) == (2, 11.0, 9200)
    assert pace.after(12.0, 2, 10_200, 60.0) == Pace(3, 3, rate=1000.0, begun_bytes=9200)


def test_no_lane_is_tried_near_the_end() -> None:
    pace = Pace(2, 3).after(0.0, 2, 0, 9.0).after(1.0, 2, 1000, 1.9)
    assert (pace.lanes, pace.is_settled) == (2, True)


def test_pinned_number_stays() -> None:
    assert _measured(Pace.pinned(3), {3: 0.0}) == [3]
