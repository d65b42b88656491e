"""A file none of whose tests was asked for does not fail, and one without any does."""

from __future__ import annotations

import pytest

from harness.python_path import PYTHON_PATH


@pytest.mark.parametrize(
    ("content", "wanted", "ended"),
    [
        ("def test_that_passes(): pass", "other", pytest.ExitCode.OK),
        ("def test_that_passes(): pass", "passes", pytest.ExitCode.OK),
        ("def test_that_fails(): assert False", "fails", pytest.ExitCode.TESTS_FAILED),
        ("", "other", pytest.ExitCode.NO_TESTS_COLLECTED),
    ],
    ids=["none asked for", "one that passes", "one that fails", "none there"],
)
def test_file_fails_for_what_was_asked_for(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, content: str, wanted: str, ended: pytest.ExitCode
) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    pytester.makeconftest('pytest_plugins = ["harness.deselected"]')
    pytester.makepyfile(content)
    assert pytester.runpytest_subprocess("-k", wanted).ret == ended
