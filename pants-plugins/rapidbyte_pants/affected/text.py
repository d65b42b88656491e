"""Writes a report for a terminal: the scenarios first, each with its chain, and then what else changed."""

from __future__ import annotations

from collections.abc import Iterator

from rapidbyte_pants.affected.model import Change, Explained, Reach, Report
from rapidbyte_pants.affected.names import printable


def render_text(report: Report) -> str:
    return "\n".join(printable(line) for line in _lines(report)) + "\n"


def summary(report: Report) -> str:
    """Say in one sentence how much is affected."""
    since = f"since {report.since.revision} ({report.since.base[:10]})"
    if not report.reaches:
        return f"Nothing has changed {since}: no scenario is affected."
    changes = _count(len(report.reaches), "changed file")
    affected, known = len(report.explained), _count(len(report.scenarios), "scenario")
    return f"{affected or 'None'} of {known} {'is' if affected < 2 else 'are'} affected by {changes} {since}."


def beyond_line(report: Report, reach: Reach) -> str:
    """Say what a change reaches beyond the dependencies, and how: everything, where that is each of the scenarios."""
    if report.scenarios and {each.address for each in report.scenarios} <= set(reach.beyond):
        return f"{described(reach.change)} affects everything: {reach.reason}"
    count = _count(len(reach.beyond), "target")
    return f"{described(reach.change)} reaches {count} beyond its dependents: {reach.reason}"


def idle_sentence(reach: Reach) -> str:
    """Say why a change affects no scenario."""
    if not reach.owners and not reach.beyond:
        return f"{described(reach.change)}: no target owns it"
    return f"{described(reach.change)}: none of these scenarios depends on {_some(reach.owners or reach.beyond, 3)}"


def described(change: Change) -> str:
    return f"{change.path} ({change.status.value})"


def _lines(report: Report) -> Iterator[str]:
    yield summary(report)
    beyond = [reach for reach in report.reaches if reach.reason is not None]
    if beyond:
        yield ""
        for reach in beyond:
            yield beyond_line(report, reach)
    for file, group in report.by_file:
        yield ""
        yield file
        for each in group:
            if len(group) > 1:
                yield f"  {each.scenario.address}"
            yield from _explained(each)
    if report.is_asked and report.reaches and report.unaffected:
        yield ""
        for scenario in report.unaffected:
            yield f"{scenario.address} is not affected: nothing that changed leads to it."
    if report.idle:
        yield ""
        yield "No effect on these scenarios:"
        for reach in report.idle:
            yield f"  {idle_sentence(reach)}"


def _explained(each: Explained) -> Iterator[str]:
    """Write a chain as stairs: each line depends on the one above it."""
    yield f"  {described(each.change)}"
    for depth, link in enumerate(each.links):
        # The reach beyond the dependencies is the chain's first step.
        mark = "┄" if depth == 0 and each.reason is not None else "─"
        yield f"  {'   ' * depth}└{mark} {link}"
    if each.also:
        yield f"  also from {_some(each.also, 5)}"


def _some(names: tuple[str, ...], most: int) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
