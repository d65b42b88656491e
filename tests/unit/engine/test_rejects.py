"""Rejected rows: counted for the present attempt, kept once for all attempts of a run, and refused under `fail`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rapidbyte.engine.rejects import Rejects
from rapidbyte.errors import Category, DeadLettersFullError, FrameError
from rapidbyte.frames import Rejection
from rapidbyte.model import DataErrorPolicy, StateSpec, StreamSpec, SyncMode, WriteMode
from rapidbyte.state import RejectedAt, State, open_state

_SOURCE, _DESTINATION = RejectedAt.SOURCE, RejectedAt.DESTINATION


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(StateSpec(connection=str(tmp_path / "state.db"), max_dead_letters=4)) as opened:
        yield opened


def _rejects(state: State, policy: DataErrorPolicy, run_id: str = "run") -> Rejects:
    spec = StreamSpec("t", SyncMode.FULL_REFRESH, WriteMode.APPEND, on_data_error=policy)
    return Rejects("p", run_id, (spec, spec), state.dead_letters)


def _row(key: str, stream: int = 0) -> Rejection:
    return Rejection(stream, Category.DATA, "23502", "No NULL.", {"id": key, "name": None})


def _kept(state: State) -> list[str | None]:
    return [stored.letter.row["id"] for stored in state.dead_letters.list()]


def test_rows_are_counted_by_stream_and_stage(state: State) -> None:
    rejects = _rejects(state, DataErrorPolicy.SKIP)
    rejects.listener(0, _SOURCE, 0)(_row("1"))
    for key in "23":
        rejects.listener(0, _DESTINATION, 0)(_row(key))
    rejects.listener(1, _SOURCE, 0)(_row("4", stream=1))
    assert [rejects.count(0, _SOURCE), rejects.count(0, _DESTINATION)] == [1, 2]
    rejects.begin(0)
    assert [rejects.count(0, _SOURCE), rejects.count(0, _DESTINATION), rejects.count(1, _SOURCE)] == [0, 0, 1]
    assert _kept(state) == []


def test_row_of_another_attempt_is_kept_once_and_an_equal_one_again(state: State) -> None:
    rejects = _rejects(state, DataErrorPolicy.DLQ)
    for _ in range(2):
        rejects.begin(0)
        take = rejects.listener(0, _DESTINATION, 0)
        for key in ("1", "1", "2"):
            take(_row(key))
        assert rejects.count(0, _DESTINATION) == 3
    assert _kept(state) == ["1", "1", "2"]
    rejects.begin(0)
    rejects.listener(0, _DESTINATION, 5)(_row("1"))  # behind rows that are durable: not the one from before
    assert _kept(state) == ["1", "1", "2", "1"]


def test_letter_has_the_run_the_stage_and_the_reason(state: State) -> None:
    _rejects(state, DataErrorPolicy.DLQ, "that run").listener(1, _SOURCE, 0)(_row("1", stream=1))
    (stored,) = state.dead_letters.list()
    letter = stored.letter
    assert (letter.pipeline, letter.stream, letter.run_id, letter.rejected_at) == ("p", "t", "that run", _SOURCE)
    assert (letter.category, letter.code, letter.reasons) == (Category.DATA, "23502", ("No NULL.",))


def test_row_that_cannot_be_kept_is_an_error_and_not_counted(state: State) -> None:
    rejects = _rejects(state, DataErrorPolicy.DLQ)
    take = rejects.listener(0, _SOURCE, 0)
    for key in "1234":
        take(_row(key))
    with pytest.raises(DeadLettersFullError):
        take(_row("5"))
    assert rejects.count(0, _SOURCE) == 4


def test_no_row_is_rejected_under_fail_or_for_another_stream(state: State) -> None:
    for policy, stream in ((DataErrorPolicy.FAIL, 0), (DataErrorPolicy.SKIP, 1)):
        with pytest.raises(FrameError) as caught:
            _rejects(state, policy).listener(0, _SOURCE, 0)(_row("1", stream=stream))
        assert caught.value.code == "bad_state"
