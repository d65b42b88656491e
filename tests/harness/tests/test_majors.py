"""Which major versions of Postgres a test of changes runs on, by the profile and its mark."""

from __future__ import annotations

import re

import pytest

from harness.profiles import NIGHTLY
from harness.profiles import VARIABLE as PROFILE
from harness.providers import MAJOR_VARIABLE
from harness.python_path import PYTHON_PATH

_CONFTEST = """
    pytest_plugins = ["harness.plugin"]
"""
_SUITE = """
    import pytest

    def test_plain(quiet_server): pass

    @pytest.mark.every_major
    def test_every(quiet_server): pass

    @pytest.mark.default_major
    def test_one(quiet_server): pass
"""
_OTHERS = ("pg16", "pg17")


@pytest.mark.parametrize(
    ("profile", "major", "on_others"),
    [
        pytest.param("fast", "", ["every"], id="fast"),
        pytest.param(NIGHTLY, "", ["every", "plain"], id="nightly"),
        pytest.param(NIGHTLY, "17", [], id="one that is chosen"),
    ],
)
def test_test_of_changes_runs_on_the_versions_of_its_mark(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, profile: str, major: str, on_others: list[str]
) -> None:
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    monkeypatch.setenv(PROFILE, profile)
    monkeypatch.setenv(MAJOR_VARIABLE, major)
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(_SUITE)
    result = pytester.runpytest_subprocess("--collect-only", "-q")
    found = re.findall(r"::test_(\w+)(?:\[(\w+)\])?$", result.stdout.str(), re.MULTILINE)
    own = [(name, "") for name in ("every", "one", "plain")]
    assert sorted(found) == sorted([*own, *((name, other) for name in on_others for other in _OTHERS)])
