"""Rejected rows: counted once and kept once however often they are met, and refused under `fail`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Receipt
from rapidbyte.errors import Category, DeadLettersFullError, FrameError
from rapidbyte.frames import Rejection
from rapidbyte.model import DataErrorPolicy, StateSpec, StreamSpec, SyncMode, WriteMode
from rapidbyte.state import RejectedAt, State, open_state

_SOURCE, _DESTINATION = RejectedAt.SOURCE, RejectedAt.DESTINATION


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with open_state(StateSpec(connection=str(tmp_path / "state.db"), max_dead_letters=4)) as opened:
        yield opened


def _rejects(state: State, policy: DataErrorPolicy, run_id: str = "run", mode: WriteMode = WriteMode.APPEND) -> Rejects:
    spec = StreamSpec("t", SyncMode.FULL_REFRESH, mode, on_data_error=policy)
    return Rejects("p", run_id, (spec, spec), state.dead_letters)


def _row(key: str, stream: int = 0) -> Rejection:
    return Rejection(stream, Category.DATA, "23502", ("No NULL.",), {"id": key, "name": None})


def _kept(state: State) -> list[str | None]:
    return [stored.letter.row["id"] for stored in state.dead_letters.list()]


def _take(rejects: Rejects, rejected_at: RejectedAt, *keys: str, after_bytes: int = 0, stream: int = 0) -> None:
    take = rejects.listener(stream, rejected_at, lambda: after_bytes)
    for key in keys:
        take(_row(key, stream))


def _receipt(run_id: str, size_bytes: int, *, is_complete: bool = False) -> Receipt:
    return Receipt(run_id, None, 1, size_bytes, is_complete, is_finished=False)


def test_rows_are_counted_by_stream_and_stage(state: State) -> None:
    rejects = _rejects(state, DataErrorPolicy.SKIP)
    _take(rejects, _SOURCE, "1")
    _take(rejects, _DESTINATION, "2", "3")
    _take(rejects, _SOURCE, "4", stream=1)
    assert [rejects.count(0, _SOURCE), rejects.count(0, _DESTINATION), rejects.earlier(0)] == [1, 2, 0]
    rejects.begin(0, None, has_receipts=True)
    counts = [rejects.count(0, _SOURCE), rejects.count(0, _DESTINATION), rejects.earlier(0), rejects.count(1, _SOURCE)]
    assert counts == [0, 0, 0, 1]
    assert _kept(state) == []


@pytest.mark.parametrize(
    ("is_complete", "earlier"),
    [
        pytest.param(False, 3, id="up to a commit"),
        pytest.param(True, 4, id="to the end"),
    ],
)
@pytest.mark.parametrize("policy", [DataErrorPolicy.SKIP, DataErrorPolicy.DLQ])
def test_what_an_attempt_left_out_for_good_stays_counted_and_the_rest_is_met_again(
    state: State, policy: DataErrorPolicy, is_complete: bool, earlier: int
) -> None:
    rejects = _rejects(state, policy)
    rejects.begin(0, None, has_receipts=True)
    _take(rejects, _DESTINATION, "1", "1", after_bytes=0)
    _take(rejects, _SOURCE, "2", after_bytes=99)
    _take(rejects, _DESTINATION, "3", after_bytes=100)
    rejects.begin(0, _receipt("run", 100, is_complete=is_complete), has_receipts=True)
    assert (rejects.earlier(0), rejects.count(0, _DESTINATION)) == (earlier, 0)
    _take(rejects, _DESTINATION, *["3"] * (4 - earlier), after_bytes=100)
    rejects.complete(0)
    assert _kept(state) == (["1", "1", "2", "3"] if policy is DataErrorPolicy.DLQ else [])
    assert all(stored.letter.uncommitted is None for stored in state.dead_letters.list())


def test_attempt_without_receipts_keeps_nothing_of_the_one_before(state: State) -> None:
    rejects = _rejects(state, DataErrorPolicy.DLQ)
    for _ in range(2):
        rejects.begin(0, None, has_receipts=False)
        _take(rejects, _DESTINATION, "1", "1", "2")
        assert (rejects.count(0, _DESTINATION), rejects.earlier(0)) == (3, 0)
    assert _kept(state) == ["1", "1", "2"]


def test_next_run_meets_the_rows_of_a_killed_one_and_keeps_them_once(state: State) -> None:
    before = _receipt("last week", 7)
    killed = _rejects(state, DataErrorPolicy.DLQ, "killed")
    killed.begin(0, before, has_receipts=True)
    _take(killed, _DESTINATION, "1", "1")
    after = _rejects(state, DataErrorPolicy.DLQ, "next")
    after.begin(0, before, has_receipts=True)
    _take(after, _DESTINATION, "1", "1")
    after.complete(0)
    kept = state.dead_letters.list()
    assert [(stored.letter.run_id, stored.letter.row["id"]) for stored in kept] == [("next", "1")] * 2


@pytest.mark.parametrize(("mode", "runs"), [(WriteMode.REPLACE, ["next"]), (WriteMode.APPEND, ["killed", "next"])])
def test_letters_of_a_stream_that_is_moved_again_from_its_start_are_those_of_the_last_run(
    state: State, mode: WriteMode, runs: list[str]
) -> None:
    for run_id in ("killed", "next"):
        rejects = _rejects(state, DataErrorPolicy.DLQ, run_id, mode)
        rejects.begin(0, _receipt("killed", 5, is_complete=True) if run_id == "next" else None, has_receipts=True)
        _take(rejects, _DESTINATION, "1")
        rejects.complete(0)
    assert [stored.letter.run_id for stored in state.dead_letters.list()] == runs


def test_letter_has_the_run_the_stage_and_the_reason(state: State) -> None:
    _rejects(state, DataErrorPolicy.DLQ, "that run").listener(1, _SOURCE, int)(_row("1", stream=1))
    (stored,) = state.dead_letters.list()
    letter = stored.letter
    assert (letter.pipeline, letter.stream, letter.run_id, letter.rejected_at) == ("p", "t", "that run", _SOURCE)
    assert (letter.category, letter.code, letter.reasons) == (Category.DATA, "23502", ("No NULL.",))


def test_row_that_cannot_be_kept_is_an_error_and_not_counted(state: State) -> None:
    rejects = _rejects(state, DataErrorPolicy.DLQ)
    take = rejects.listener(0, _SOURCE, int)
    for key in "1234":
        take(_row(key))
    with pytest.raises(DeadLettersFullError):
        take(_row("5"))
    assert rejects.count(0, _SOURCE) == 4


def test_no_row_is_rejected_under_fail_or_for_another_stream(state: State) -> None:
    for policy, stream in ((DataErrorPolicy.FAIL, 0), (DataErrorPolicy.SKIP, 1)):
        with pytest.raises(FrameError) as caught:
            _rejects(state, policy).listener(0, _SOURCE, int)(_row("1", stream=stream))
        assert caught.value.code == "bad_state"
