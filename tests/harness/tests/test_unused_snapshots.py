"""A recorded snapshot that no test reads any more fails its suite, until it is taken out."""

from __future__ import annotations

import pytest

_SUITE = """
    def test_greeting(snapshot):
        assert "hello" == snapshot
"""
_READ = "# serializer version: 1\n# name: test_greeting\n  'hello'\n# ---\n"
_LEFT_OVER = "# name: test_farewell\n  'goodbye'\n# ---\n"


def _record(suite: pytest.Pytester, text: str) -> None:
    suite.makepyfile(test_words=_SUITE)
    folder = suite.mkdir("__snapshots__")
    (folder / "test_words.ambr").write_text(text, encoding="utf-8")


def test_snapshots_that_are_all_read_pass(pytester: pytest.Pytester) -> None:
    _record(pytester, _READ)
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.OK
    result.assert_outcomes(passed=1)


def test_snapshot_that_nothing_reads_fails_the_suite_though_its_tests_pass(pytester: pytest.Pytester) -> None:
    _record(pytester, _READ + _LEFT_OVER)
    result = pytester.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["1 snapshot passed. 1 snapshot unused."])
