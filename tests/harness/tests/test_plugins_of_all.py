"""The plugins of all tests: hypothesis is loaded if a suite uses it, and what is loaded is not garbage."""

from __future__ import annotations

import pytest

from harness.python_path import PYTHON_PATH

_CONFTEST = """
    import sys

    pytest_plugins = ["harness.frozen", "harness.unused_plugins"]

    def pytest_unconfigure():
        print("hypothesis was loaded:", "hypothesis" in sys.modules)
"""

_WITHOUT = "def test_that_passes(): pass"

_WITH = """
    from hypothesis import given, strategies

    @given(strategies.booleans())
    def test_that_passes(value):
        assert value in (False, True)
"""

_MAKES_GARBAGE = """
    import gc
    import weakref

    class Own:
        def __init__(self):
            self.own = self

    def test_that_makes_garbage():
        assert gc.get_freeze_count() > 10_000
        left = weakref.ref(Own())
        assert left() is not None
        gc.collect()
        assert left() is None
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder of tests with the plugin."""
    monkeypatch.setenv("PYTHONPATH", PYTHON_PATH)
    pytester.makeconftest(_CONFTEST)
    return pytester


def test_suite_that_does_not_use_hypothesis_never_loads_it(suite: pytest.Pytester) -> None:
    suite.makepyfile(_WITHOUT)
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["hypothesis was loaded: False"])


def test_suite_that_uses_hypothesis_has_its_plugin(suite: pytest.Pytester) -> None:
    suite.makepyfile(_WITH)
    result = suite.runpytest_subprocess("--hypothesis-show-statistics")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*Hypothesis Statistics*", "hypothesis was loaded: True"])


def test_collector_looks_at_what_tests_make_alone(suite: pytest.Pytester) -> None:
    suite.makepyfile(_MAKES_GARBAGE)
    suite.runpytest_subprocess().assert_outcomes(passed=1)
