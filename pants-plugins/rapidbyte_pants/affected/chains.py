"""Finds the shortest chain from the changed files to each scenario.

The same inputs give the same chains: of equally short ones, the one whose change, and then whose targets, sort first.
A chain of Pants' own dependencies goes before any that needs the reach beyond them, however short that is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapidbyte_pants.affected.model import Change, Explained, Reach, Scenario

Dependents = Mapping[str, Iterable[str]]


@dataclass(frozen=True)
class _Step:
    """How a target was first reached: from another target, or at once by a change."""

    change: Change
    parent: str | None
    reason: str | None


def explain(reaches: Iterable[Reach], dependents: Dependents, scenarios: Iterable[Scenario]) -> tuple[Explained, ...]:
    """Explain the scenarios that the changes lead to, in the order of their files."""
    ordered = sorted(reaches, key=lambda reach: reach.change.path)
    steps = _search(ordered, dependents)
    sources = _sources(ordered, dependents)
    return tuple(
        Explained(
            scenario,
            steps[scenario.address].change,
            _chain(steps, scenario.address),
            steps[scenario.address].reason,
            tuple(sorted(sources[scenario.address] - {steps[scenario.address].change.path})),
        )
        for scenario in sorted(scenarios, key=lambda scenario: (scenario.file, scenario.address))
        if scenario.address in steps
    )


def _search(reaches: Iterable[Reach], dependents: Dependents) -> dict[str, _Step]:
    """Search breadth first, twice: what dependencies alone do not reach is left for the reach beyond them."""
    steps: dict[str, _Step] = {}
    for beyond in (False, True):
        frontier = [
            (address, _Step(reach.change, None, reach.reason if beyond else None))
            for reach in reaches
            for address in sorted(reach.beyond if beyond else reach.owners)
        ]
        while frontier:
            reached: list[str] = []
            for address, step in frontier:
                if address not in steps:
                    steps[address] = step
                    reached.append(address)
            frontier = [
                (dependent, _Step(steps[address].change, address, steps[address].reason))
                for address in reached
                for dependent in sorted(dependents.get(address, ()))
            ]
    return steps


def _chain(steps: Mapping[str, _Step], address: str) -> tuple[str, ...]:
    chain = [address]
    parent = steps[address].parent
    while parent is not None:
        chain.append(parent)
        parent = steps[parent].parent
    return tuple(reversed(chain))


def _sources(reaches: Iterable[Reach], dependents: Dependents) -> dict[str, set[str]]:
    """Give the changed files that lead to each target. Files that lead to the same targets at once share a search."""
    by_targets: dict[frozenset[str], list[str]] = defaultdict(list)
    for reach in reaches:
        by_targets[frozenset((*reach.owners, *reach.beyond))].append(reach.change.path)
    sources: dict[str, set[str]] = defaultdict(set)
    for targets, paths in by_targets.items():
        for address in _closure(targets, dependents):
            sources[address].update(paths)
    return sources


def _closure(targets: Iterable[str], dependents: Dependents) -> set[str]:
    closure: set[str] = set()
    waiting = list(targets)
    while waiting:
        address = waiting.pop()
        if address not in closure:
            closure.add(address)
            waiting.extend(dependents.get(address, ()))
    return closure
