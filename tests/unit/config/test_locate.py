"""Problems that are found after reading get the lines of the document."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapidbyte.config import locate
from rapidbyte.errors import DocumentError, Problem
from unit.config.documents import MINIMAL, minimal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "p.yaml"
    path.write_text(MINIMAL.replace("{host: localhost}", "\n    host: ${HOST}\n    hots: [1,\n      2]", 1))
    return path


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("source.config.hots", 7),
        ("source.config.hots[1]", 8),
        ("source.config.hots[2]", 7),
        ("source.config.user", 5),
        ("source.config.a.b[3].c", 5),
        ("source.streams[0].name", 10),
        ("destination.config.host", 14),
        ("", 1),
    ],
)
def test_problem_gets_the_line_of_its_value_or_of_what_it_is_missing_from(path: Path, where: str, line: int) -> None:
    found = locate(DocumentError("p", (Problem(where, "is wrong"),)), path, {"HOST": "a\n      b"})
    assert (found.source, found.problems) == (str(path), (Problem(where, "is wrong", line),))


def test_problems_are_sorted_by_line_and_keep_the_lines_they_have(path: Path) -> None:
    problems = (Problem("destination.use", "b"), Problem("pipeline", "a"), Problem("x", "c", 99))
    found = locate(DocumentError("p", problems), str(path), {"HOST": "h"})
    assert found.problems == (Problem("pipeline", "a", 2), Problem("destination.use", "b", 13), problems[2])


def test_python_values_have_no_lines() -> None:
    error = DocumentError("p", (Problem("pipeline", "a"),))
    assert locate(error, minimal()) is error
