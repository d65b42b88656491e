"""What the goal `affected` knows and says, as values.

A path is relative to the build root; a target is named by its address, as Pants prints it. A scenario is a test target.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """What happened to a file since the base. A rename is the deletion of one file and the addition of another."""

    ADDED = "added"
    MODIFIED = "modified"
    DELETED = "deleted"
    UNTRACKED = "untracked"


@dataclass(frozen=True)
class Change:
    path: str
    status: Status


@dataclass(frozen=True)
class Since:
    """The revision that was asked for, and the commit that HEAD and it have in common."""

    revision: str
    base: str


@dataclass(frozen=True)
class Reach:
    """The targets that a changed file leads to at once.

    `owners` are those Pants finds. `beyond` are those it does not, though the file enters their processes, and `reason`
    says how.
    """

    change: Change
    owners: tuple[str, ...]
    beyond: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Scenario:
    """A test target. `file` is its test file; for a crate, whose tests have many, its folder."""

    file: str
    address: str
    kind: str


@dataclass(frozen=True)
class Explained:
    """Why a scenario is affected.

    `chain` is a shortest one: targets from the one the change leads to at once to the scenario, both included.
    `reason` is there if only the reach beyond Pants' dependencies leads to it. `also` are the other changes that do.
    """

    scenario: Scenario
    change: Change
    chain: tuple[str, ...]
    reason: str | None
    also: tuple[str, ...]

    @property
    def links(self) -> tuple[str, ...]:
        """Give the chain after the file, for readers: without the file's own target where that has the same name."""
        return self.chain[1:] if self.chain[0] == self.change.path else self.chain


@dataclass(frozen=True)
class Report:
    """All that is said. `scenarios` are those it is about, and `is_asked` is whether the user named each of them."""

    since: Since
    reaches: tuple[Reach, ...]
    explained: tuple[Explained, ...]
    scenarios: tuple[Scenario, ...]
    is_asked: bool = False

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(reach.change for reach in self.reaches)

    @property
    def idle(self) -> tuple[Reach, ...]:
        """Give the changes that lead to none of the scenarios."""
        busy = {each.change.path for each in self.explained}.union(*(each.also for each in self.explained))
        return tuple(reach for reach in self.reaches if reach.change.path not in busy)

    @property
    def unaffected(self) -> tuple[Scenario, ...]:
        affected = {each.scenario for each in self.explained}
        return tuple(scenario for scenario in self.scenarios if scenario not in affected)

    @property
    def by_file(self) -> tuple[tuple[str, tuple[Explained, ...]], ...]:
        """Group what is explained by test file: a file may be that of several targets."""
        files: dict[str, list[Explained]] = {}
        for each in self.explained:
            files.setdefault(each.scenario.file, []).append(each)
        return tuple((file, tuple(group)) for file, group in files.items())
