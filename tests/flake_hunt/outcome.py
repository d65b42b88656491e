"""What came of a file of tests, of a round of files, and of a whole hunt, as people read it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from flake_hunt.leaks import Trace


@dataclass(frozen=True, slots=True)
class FileOutcome:
    """How many tests of a file ran, and the names of those that failed, with the file itself where pytest did."""

    file: str
    tests: int
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Round:
    """One pass over all files; the seed decides every order in it."""

    number: int
    seed: int
    files: tuple[FileOutcome, ...]
    left: tuple[Trace, ...]
    duration_s: float

    @property
    def tests(self) -> int:
        """How many tests ran."""
        return sum(file.tests for file in self.files)

    @property
    def failed(self) -> tuple[str, ...]:
        """The tests that failed."""
        return tuple(name for file in self.files for name in file.failed)

    def lines(self, rounds: int) -> list[str]:
        """Tell the round in a line, and each finding in one below it."""
        line = (
            f"round {self.number} of {rounds}, seed {self.seed}: {self.tests} tests of {len(self.files)} files in "
            f"{self.duration_s:.0f} s, {len(self.failed)} failed, {len(self.left)} left behind"
        )
        return [
            line,
            *(f"  failed: {name}" for name in self.failed),
            *(f"  left: {_named(each)}" for each in self.left),
        ]


def outcome_of(file: str, report: Path, problem: str | None) -> FileOutcome:
    """Read the JUnit report of a file; `problem` is what pytest ended with, where that is no verdict on tests."""
    cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []
    cases = [case for case in cases if case.get("name", "").startswith("test_")]  # a file that does not load is one too
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    names = list(dict.fromkeys(f"{file}::{case.get('name')}" for case in failed))
    if problem is not None and not names:
        names = [f"{file} ({problem})"]
    return FileOutcome(file, len({case.get("name") for case in cases}), tuple(names))


def summary(rounds: Sequence[Round], reports: Path) -> list[str]:
    """Tell what a hunt has found, the most frequent first."""
    failed = Counter(name for each in rounds for name in set(each.failed))
    left = [trace for each in rounds for trace in each.left]
    tests = sum(each.tests for each in rounds)
    lines = [f"{len(rounds)} rounds, {tests} tests: {failed.total()} failures, {len(left)} things left behind"]
    lines += [f"  failed in {count} of {len(rounds)} rounds: {name}" for name, count in failed.most_common()]
    lines += [f"  left: {_named(trace)}" for trace in left]
    return [*lines, f"What failed is told in {reports}."] if failed else lines


def _named(trace: Trace) -> str:
    return f"{trace.kind} {trace.name}"
