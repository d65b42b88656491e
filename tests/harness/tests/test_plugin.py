"""The harness as one plugin: a suite of somebody else's has every fixture by one line, and nothing of our own tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from harness import plugin
from harness.python_path import PYTHON_PATH

_HARNESS = Path(plugin.__file__).parent
_OUR_TESTS = ("boundary", "e2e", "property", "proofs", "unit")

_CONFTEST = f"""
    import sys

    pytest_plugins = ["harness.plugin"]

    def pytest_unconfigure():
        print("loaded of ours:", sorted({{name.partition(".")[0] for name in sys.modules}} & set({_OUR_TESTS})))
"""

_SUITE = """
    def test_that_asks_for_no_server(request, tmp_path, state_path):
        assert state_path == tmp_path / "state.db"
        assert "provided_server" not in request.node.funcargs

    def test_that_fails():
        assert False
"""


def _fixtures_of(file: Path) -> set[str]:
    """Return the names of the functions that a file makes fixtures of, save for those of its own."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef) and _is_public_fixture(node)}


def _is_public_fixture(node: ast.FunctionDef) -> bool:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    return not node.name.startswith("_") and any(text.startswith("pytest.fixture") for text in decorators)


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests that are not ours, with the plugin."""
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    pytester.makeconftest(_CONFTEST)
    pytester.makepyfile(_SUITE)
    return pytester


def test_plugin_has_every_file_of_fixtures() -> None:
    files = sorted(_HARNESS.glob("fix_*.py"))
    assert files
    assert sorted(plugin.pytest_plugins) == [f"harness.{file.stem}" for file in files]


def test_suite_has_every_fixture_by_one_line(suite: pytest.Pytester) -> None:
    listed = suite.runpytest_subprocess("--fixtures").stdout.str()
    wanted = {name for file in _HARNESS.glob("fix_*.py") for name in _fixtures_of(file)}
    assert {"cli", "run_pipeline", "seeded"} <= wanted
    assert [name for name in sorted(wanted) if f"\n{name} " not in listed] == []


def test_suite_that_asks_for_nothing_starts_nothing_and_loads_nothing_of_our_tests(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*run it again*", "./pants test *test_that_fails*"])
    result.stdout.fnmatch_lines(["loaded of ours: []"])
