"""Which streams move together: those of changes, which one log has, and no others."""

from __future__ import annotations

import pytest

from rapidbyte.engine.plan import groups_of
from rapidbyte.model import StreamSpec, SyncMode, WriteMode

_MODES = {"f": SyncMode.FULL_REFRESH, "i": SyncMode.INCREMENTAL, "c": SyncMode.CDC}


@pytest.mark.parametrize(
    ("modes", "groups"),
    [
        ("f", ((0,),)),
        ("fi", ((0,), (1,))),
        ("c", ((0,),)),
        ("cc", ((0, 1),)),
        ("fcic", ((1, 3), (0,), (2,))),
    ],
)
def test_streams_of_changes_move_together(modes: str, groups: tuple[tuple[int, ...], ...]) -> None:
    specs = tuple(StreamSpec(str(place), _MODES[mode], WriteMode.APPEND) for place, mode in enumerate(modes))
    assert groups_of(specs) == groups
