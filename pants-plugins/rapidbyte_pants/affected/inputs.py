"""Collects from Pants what there is to explain: the scenarios, the dependents, and what each change leads to."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pants.backend.project_info import dependents
from pants.backend.project_info.dependents import AddressToDependents
from pants.core.goals.test import TestFieldSet
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents, PathGlobs
from pants.engine.internals.graph import Owners, OwnersRequest
from pants.engine.internals.mapper import SpecsFilter
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import AllTargets, AllUnexpandedTargets, RegisteredTargetTypes, SingleSourceField, Target
from pants.engine.unions import UnionMembership
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from rapidbyte_pants.affected.build_files import defaults_reason, is_build_file
from rapidbyte_pants.affected.everywhere import Everywhere
from rapidbyte_pants.affected.model import Change, Reach, Scenario


@dataclass(frozen=True)
class AllScenarios:
    """Every test target that `--tag` and `--filter` let pass."""

    scenarios: tuple[Scenario, ...]


@dataclass(frozen=True)
class Inventory:
    """What there is: the scenarios, the targets that depend on a target at once, and the types of targets."""

    scenarios: tuple[Scenario, ...]
    dependents: FrozenDict[str, tuple[str, ...]]
    kinds: frozenset[str]


@dataclass(frozen=True)
class ReachRequest:
    """`was` is what a BUILD file held at the base; `everywhere` what applies to the file."""

    change: Change
    was: str
    everywhere: tuple[Everywhere, ...]


@rule(desc="Find the scenarios", level=LogLevel.DEBUG)
async def find_scenarios(targets: AllTargets, unions: UnionMembership, specs_filter: SpecsFilter) -> AllScenarios:
    field_sets: Iterable[type[TestFieldSet]] = unions.get(TestFieldSet)
    return AllScenarios(
        tuple(
            Scenario(_file(target), target.address.spec, target.alias)
            for target in targets
            if specs_filter.matches(target) and any(field_set.is_applicable(target) for field_set in field_sets)
        )
    )


@rule(desc="Name the dependents of each target", level=LogLevel.DEBUG)
async def take_inventory(
    found: AllScenarios, mapped: AddressToDependents, target_types: RegisteredTargetTypes
) -> Inventory:
    dependents = {address.spec: tuple(each.spec for each in direct) for address, direct in mapped.mapping.items()}
    return Inventory(found.scenarios, FrozenDict(dependents), frozenset(target_types.aliases))


@rule(level=LogLevel.DEBUG)
async def find_reach(request: ReachRequest, scenarios: AllScenarios, all_targets: AllUnexpandedTargets) -> Reach:
    path = request.change.path
    # As `--changed-since` asks: a changed BUILD file leads to all the targets that it makes.
    owners = await Get(Owners, OwnersRequest((_literal(path),), match_if_owning_build_file_included_in_sources=True))
    beyond: set[str] = set()
    reasons: list[str] = []
    for each in request.everywhere:
        beyond.update(_reached(each, scenarios, all_targets))
        reasons.append(each.reason)
    if is_build_file(path):
        present = await Get(DigestContents, PathGlobs([_literal(path)]))
        reason = defaults_reason(path, request.was, *(file.content.decode(errors="replace") for file in present))
        if reason is not None:
            beyond.update(_below(os.path.dirname(path), all_targets))
            reasons.append(reason)
    return Reach(
        request.change,
        tuple(sorted(address.spec for address in owners)),
        tuple(sorted(beyond)),
        " ".join(reasons) or None,
    )


def _reached(each: Everywhere, scenarios: AllScenarios, targets: Iterable[Target]) -> Iterable[str]:
    if not each.kinds:
        return (scenario.address for scenario in scenarios.scenarios)
    return (target.address.spec for target in targets if target.alias in each.kinds)


def _below(folder: str, targets: Iterable[Target]) -> Iterable[str]:
    return (target.address.spec for target in targets if _is_below(folder, target.address))


def _is_below(folder: str, address: Address) -> bool:
    return not folder or address.spec_path == folder or address.spec_path.startswith(f"{folder}/")


def _file(target: Target) -> str:
    """Give the test file of a target, or its folder if it has no single one."""
    if target.has_field(SingleSourceField) and target[SingleSourceField].value:
        return target[SingleSourceField].file_path
    return target.address.spec_path


def _literal(path: str) -> str:
    """Keep the characters of a name from being read as a glob."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def rules() -> Iterable[Rule]:
    return (*collect_rules(), *dependents.rules())
