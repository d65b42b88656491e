"""Turns what `cargo test` prints into a JUnit report, so that every kind of test is counted the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from xml.etree import ElementTree

_RESULT = re.compile(r"^test (?P<name>.+?)(?: - should panic)? \.\.\. (?P<outcome>ok|FAILED|ignored)\b")


class Outcome(Enum):
    """How one test ended."""

    PASSED = "ok"
    FAILED = "FAILED"
    SKIPPED = "ignored"


@dataclass(frozen=True)
class CrateTest:
    """One test of a crate."""

    name: str
    outcome: Outcome


def parse_cargo_test(output: str) -> tuple[CrateTest, ...]:
    """Read the result lines; what the tests themselves print is passed over."""
    matches = (_RESULT.match(line) for line in output.splitlines())
    return tuple(CrateTest(match["name"], Outcome(match["outcome"])) for match in matches if match)


def junit_report(suite: str, tests: tuple[CrateTest, ...], *, did_run: bool) -> bytes:
    """Write the report. A crate that did not compile, or whose run broke off, counts as one error."""
    element = ElementTree.Element(
        "testsuite",
        name=suite,
        tests=str(len(tests)),
        failures=str(sum(test.outcome is Outcome.FAILED for test in tests)),
        errors="0" if did_run else "1",
        skipped=str(sum(test.outcome is Outcome.SKIPPED for test in tests)),
    )
    for test in tests:
        case = ElementTree.SubElement(element, "testcase", classname=suite, name=test.name)
        if test.outcome is Outcome.FAILED:
            ElementTree.SubElement(case, "failure", message="see the test's output")
        elif test.outcome is Outcome.SKIPPED:
            ElementTree.SubElement(case, "skipped")
    if not did_run:
        case = ElementTree.SubElement(element, "testcase", classname=suite, name="cargo test")
        ElementTree.SubElement(case, "error", message="the crate did not compile, or its tests broke off")
        element.set("tests", str(len(tests) + 1))
    report: bytes = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
    return report
