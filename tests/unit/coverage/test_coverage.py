"""tests/coverage.yaml and the tests are held to each other: no promise without a test, no test that is not there."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
import yaml

# Where this lies in the checkout, and in a sandbox that has the sources of tests:named_in_coverage.
TESTS = Path(__file__).resolve().parents[2]
COVERAGE = TESTS / "coverage.yaml"


@cache
def sections() -> dict[str, dict[str, list[str]]]:
    """Return what is promised, by section, with the tests that prove each."""
    document = yaml.safe_load(COVERAGE.read_text(encoding="utf-8"))
    return {name: {entry["what"]: entry["tests"] for entry in entries} for name, entries in document.items()}


@cache
def named() -> set[str]:
    return {test for entries in sections().values() for tests in entries.values() for test in tests}


@cache
def functions_of(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    body = ast.parse(file.read_text(encoding="utf-8")).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}
    return {f"{file.relative_to(TESTS).as_posix()}::{name}" for name in names}


def test_each_promise_is_there_once_and_has_a_test() -> None:
    document = yaml.safe_load(COVERAGE.read_text(encoding="utf-8"))
    for name, entries in document.items():
        assert entries, name
        assert len(sections()[name]) == len(entries), f"{name} has an entry twice"
    unproved = [what for entries in sections().values() for what, tests in entries.items() if not tests]
    assert unproved == []


@pytest.mark.parametrize("section", sections())
def test_each_named_test_exists(section: str) -> None:
    tests = [test for tests in sections()[section].values() for test in tests]
    assert [test for test in tests if test not in functions_of(TESTS / test.partition("::")[0])] == []


def test_each_end_to_end_test_proves_what_is_named() -> None:
    files = sorted((TESTS / "e2e").glob("test_*.py"))
    assert files
    there = {test for file in files for test in functions_of(file)}
    assert sorted(there - named()) == [], "name each in tests/coverage.yaml, below the promise that it proves"
