"""Whole tables, in any combination with the other modes and the policies."""

from __future__ import annotations

from collections.abc import Callable

from e2e.modes_matrix import moving
from rapidbyte.model import SyncMode

pytest_plugins = ["e2e.fix_matrix"]


@moving(SyncMode.FULL_REFRESH)
def test_tables_and_their_changes_arrive_exactly(play: Callable[[], None]) -> None:
    play()
