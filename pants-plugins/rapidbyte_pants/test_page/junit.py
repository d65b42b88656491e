"""Reads JUnit reports, as pytest and the tests of crates write them."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

from rapidbyte_pants.test_page.model import Case, Outcome

_OUTCOMES = {"failure": Outcome.FAILED, "error": Outcome.ERROR, "skipped": Outcome.SKIPPED}


def parse_report(content: bytes) -> tuple[Case, ...]:
    """Return the tests of a report in its order. One that fails and whose clean-up fails too is one test, and failed.

    A report that is no XML, as when its writer was killed, is one error.
    """
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        return (Case("the report", "the report", Outcome.ERROR, 0.0, f"It cannot be read: {error}"),)
    cases: dict[tuple[str, str], Case] = {}
    for element in root.iter("testcase"):
        key = (element.get("classname", ""), element.get("name", ""))
        case = _case(element)
        known = cases.get(key)
        cases[key] = case if known is None else _both(known, case)
    return tuple(cases.values())


def _case(element: ElementTree.Element) -> Case:
    name = element.get("name", "")
    function = name.partition("[")[0]
    duration_s = float(element.get("time", 0))
    for child in element:
        outcome = _OUTCOMES.get(child.tag)
        if outcome is not None:
            return Case(name, function, outcome, duration_s, "\n".join(_told(child)))
    return Case(name, function, Outcome.PASSED, duration_s)


def _told(element: ElementTree.Element) -> Iterator[str]:
    text, message = (element.text or "").strip("\n"), element.get("message", "")
    if text:
        yield text
    elif message:
        yield message


def _both(one: Case, other: Case) -> Case:
    worst = one if one.outcome.is_bad or not other.outcome.is_bad else other
    message = "\n".join(each.message for each in (one, other) if each.message)
    return Case(one.name, one.function, worst.outcome, one.duration_s + other.duration_s, message)
