"""The points of the code are those that the sweep of kills goes through."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.kill_points import (
    AFTER_THE_END,
    BEFORE_THE_END,
    IN_A_REPLAY,
    OF_APPLIED_CHANGES,
    OF_CHANGES,
    OF_COPIES,
    WHERE_COLUMNS_CHANGE,
    WITH_BAD_ROWS,
    WITH_PARTS,
)
from rapidbyte.engine import run_pipeline
from rapidbyte.engine.points import reach

_RUST = ("connectors/source_postgres/src", "connectors/dest_postgres/src")
_POINT = re.compile(r"""\b(?:reach|log::point)\(\s*"([a-z_.]+)"\s*\)""")


def _points_in_code() -> Iterator[str]:
    engine = Path(run_pipeline.__code__.co_filename).parent
    files = [*engine.glob("*.py"), *(path for folder in _RUST for path in Path(folder).rglob("*.rs"))]
    assert {path.suffix for path in files} == {".py", ".rs"}
    for path in files:
        yield from _POINT.findall(path.read_text(encoding="utf-8"))


def test_every_point_of_the_code_is_swept() -> None:
    of_changes = (*OF_COPIES, *WHERE_COLUMNS_CHANGE, *OF_CHANGES, *OF_APPLIED_CHANGES)
    listed = (*BEFORE_THE_END, *AFTER_THE_END, *WITH_BAD_ROWS, *IN_A_REPLAY, *WITH_PARTS, *of_changes)
    swept = {point.partition(":")[0] for point in listed}
    assert swept == set(_points_in_code())


def test_a_point_that_nobody_named_does_nothing() -> None:
    reach("engine.started")
