"""What a receipt means for the next attempt, of the same run and of the next one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from rapidbyte.engine.resumption import Receipt, Resumption, resume
from rapidbyte.model import StreamSpec, SyncMode, WriteMode

_POSITION = {"value": "7"}
_PARTIAL = Receipt("run", _POSITION, rows=5, size_bytes=40, is_complete=False, is_finished=False)
_COMPLETE = replace(_PARTIAL, is_complete=True)
_FULL = {mode: StreamSpec("t", SyncMode.FULL_REFRESH, mode) for mode in WriteMode}
_INCREMENTAL = StreamSpec("t", SyncMode.INCREMENTAL, WriteMode.APPEND, cursor_field="id")
_ANEW = Resumption()


@pytest.mark.parametrize("spec", [*_FULL.values(), _INCREMENTAL])
def test_without_a_receipt_a_stream_begins_at_its_start(spec: StreamSpec) -> None:
    assert resume(None, spec, "run") == _ANEW


@pytest.mark.parametrize("spec", [*_FULL.values(), _INCREMENTAL])
def test_stream_that_its_run_completed_is_not_moved_again(spec: StreamSpec) -> None:
    assert resume(_COMPLETE, spec, "run") == Resumption(None, is_done=True, rows=5, size_bytes=40)


def test_incremental_stream_goes_on_at_the_position_and_counts_what_its_own_run_moved() -> None:
    assert resume(_PARTIAL, _INCREMENTAL, "run") == Resumption(_POSITION, rows=5, size_bytes=40)
    for receipt in (_PARTIAL, _COMPLETE, replace(_COMPLETE, is_finished=True)):
        assert resume(receipt, _INCREMENTAL, "next") == Resumption(_POSITION)


def test_full_refresh_that_an_unfinished_run_appended_is_not_appended_again() -> None:
    assert resume(_COMPLETE, _FULL[WriteMode.APPEND], "next") == Resumption(is_done=True)


def test_every_other_full_refresh_begins_anew() -> None:
    finished = replace(_COMPLETE, is_finished=True)
    cases = [*itertools.product((_PARTIAL, finished), _FULL.values())]
    cases += [(_COMPLETE, _FULL[WriteMode.REPLACE]), (_COMPLETE, _FULL[WriteMode.UPSERT])]
    assert [resume(receipt, spec, "next") for receipt, spec in cases] == [_ANEW] * len(cases)
