"""Gathers the tests of a run from the workunits that Pants tells of while it goes on.

A test's process is a child of the rule that runs the test. Where Pants still knows the result of an earlier run, there
is no such process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rapidbyte_pants.test_page.junit import parse_report
from rapidbyte_pants.test_page.model import Case, Origin, Outcome, Suite

Workunit = Mapping[str, Any]

_ORIGINS = {"Ran": Origin.RAN, "HitLocally": Origin.LOCAL_CACHE, "HitRemotely": Origin.REMOTE_CACHE}


@dataclass(frozen=True)
class Contents:
    """How to read what a workunit refers to: the files of a snapshot, and a single file."""

    snapshot: Callable[[Any], Iterable[bytes]]
    file: Callable[[Any], bytes]


class Collector:
    """What is known of the run so far."""

    def __init__(self) -> None:
        self._processes: dict[str, Workunit] = {}
        self._tests: list[Workunit] = []

    def add(self, workunits: Iterable[Workunit]) -> None:
        """Take workunits that have completed."""
        for workunit in workunits:
            if workunit["name"] == "process":
                self._processes.update(dict.fromkeys(_parents(workunit), workunit))
            elif "addresses" in workunit.get("metadata", ()) and "stdout" in workunit.get("artifacts", ()):
                self._tests.append(workunit)

    def suites(self, contents: Contents) -> tuple[Suite, ...]:
        """Return all suites in the order of their addresses."""
        return tuple(sorted((self._suite(test, contents) for test in self._tests), key=lambda suite: suite.address))

    def _suite(self, test: Workunit, contents: Contents) -> Suite:
        process = self._processes.get(test["span_id"], {}).get("metadata", {})
        artifacts = test["artifacts"]
        reports = contents.snapshot(artifacts["xml_results"]) if "xml_results" in artifacts else ()
        cases = tuple(case for report in reports for case in parse_report(report))
        if not cases and str(test.get("level")) == "ERROR":
            said = b"\n".join(contents.file(artifacts[name]) for name in ("stdout", "stderr"))
            name = "the process of the tests"
            cases = (Case(name, name, Outcome.ERROR, 0.0, said.decode(errors="replace").strip()),)
        elapsed_ms = process.get("total_elapsed_ms")
        duration_s = sum(case.duration_s for case in cases) if elapsed_ms is None else int(elapsed_ms) / 1000
        origin = _ORIGINS.get(process.get("source", ""), Origin.UNCHANGED)
        return Suite(", ".join(test["metadata"]["addresses"]), cases, origin, duration_s)


def _parents(workunit: Workunit) -> Iterable[str]:
    parents: Iterable[str] = workunit.get("parent_ids") or (workunit.get("parent_id") or "",)
    return parents
