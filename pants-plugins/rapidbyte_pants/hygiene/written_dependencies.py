"""Reports entries of `dependencies` that nobody needs to write: inference finds them, or there is no such target."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.engine.addresses import Address
from pants.engine.internals.build_files import AddressFamilyDir
from pants.engine.internals.mapper import AddressFamily
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import (
    AllTargets,
    Dependencies,
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
    Target,
)
from pants.engine.unions import UnionMembership, UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import help_text

from rapidbyte_pants.hygiene.report import report
from rapidbyte_pants.hygiene.written import AllWrittenDependencies, WrittenDependency

_REMEDY = "Remove the entry from the BUILD file, or correct the address that it names."


class WrittenDependencies(Subsystem):
    options_scope = "written-dependencies"
    name = "Written dependencies"
    help = help_text(
        """
        A linter that reports entries of `dependencies` fields which can go: those that inference finds anyway, for
        every target that the entry stands for, and those whose address leads nowhere. Entries of `__defaults__` are
        left alone.
        """
    )

    skip = SkipOption("lint")


@dataclass(frozen=True)
class WrittenDependenciesFieldSet(FieldSet):
    required_fields = (Dependencies,)

    dependencies: Dependencies


class WrittenDependenciesRequest(LintTargetsRequest):
    field_set_type = WrittenDependenciesFieldSet
    tool_subsystem = WrittenDependencies  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


@dataclass(frozen=True)
class InferredForRequest:
    address: Address


@dataclass(frozen=True)
class InferredFor:
    """What is inferred for a target that writes out no dependency at all."""

    addresses: frozenset[Address]


def without_written(field_set: FieldSet, address: Address) -> FieldSet:
    """Empty the `dependencies` of a field set: inference reads them too, and one that leads nowhere would stop it."""
    emptied: dict[str, Any] = {
        field.name: type(value)(None, address)
        for field in dataclasses.fields(field_set)
        for value in (getattr(field_set, field.name),)
        if isinstance(value, Dependencies)
    }
    return dataclasses.replace(field_set, **emptied)


@rule(level=LogLevel.DEBUG)
async def infer_for(request: InferredForRequest, targets: AllTargets, union: UnionMembership) -> InferredFor:
    target = next(target for target in targets if target.address == request.address)
    kinds = cast("Iterable[type[InferDependenciesRequest[Any]]]", union.get(InferDependenciesRequest))
    requests = [
        kind(without_written(kind.infer_from.create(target), target.address))
        for kind in kinds
        if kind.infer_from.is_applicable(target)
    ]
    found = await MultiGet(Get(InferredDependencies, InferDependenciesRequest, each) for each in requests)
    return InferredFor(frozenset(address for inferred in found for address in inferred.include))


@dataclass(frozen=True)
class GeneratorRequest:
    """A target as a BUILD file has it: the generator of those that it generates, or the target itself."""

    address: Address


@dataclass(frozen=True)
class GeneratorFindings:
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Evidence:
    """What is known of the targets that one place of a BUILD file stands for."""

    writers: Mapping[WrittenDependency, tuple[Address, ...]]
    inferred: Mapping[Address, frozenset[Address]]
    generated: Mapping[Address, frozenset[Address]]

    def is_superfluous(self, entry: WrittenDependency) -> bool:
        """Tell whether inference finds an entry for each target that has it."""
        if entry.target is None:
            return False
        meant = self.generated.get(entry.target, frozenset((entry.target,)))
        return all(
            entry.target in self.inferred[writer] or meant <= self.inferred[writer] for writer in self.writers[entry]
        )


@rule(level=LogLevel.DEBUG)
async def check_generator(
    request: GeneratorRequest, targets: AllTargets, written: AllWrittenDependencies
) -> GeneratorFindings:
    generated: dict[Address, frozenset[Address]] = {}
    for target in targets:
        generated[_generator(target)] = generated.get(_generator(target), frozenset()) | {target.address}
    family = await Get(AddressFamily, AddressFamilyDir(request.address.spec_path))
    defaults = [cast("tuple[str, ...]", fields.get("dependencies", ())) for fields in family.defaults.values()]
    writers: dict[WrittenDependency, tuple[Address, ...]] = {}
    for member in sorted(generated.get(request.address, ())):
        for entry in written.by_target.get(member, ()):
            if not any(entry.text in texts for texts in defaults):
                writers[entry] = (*writers.get(entry, ()), member)
    members = sorted({member for found in writers.values() for member in found})
    inferred = await MultiGet(Get(InferredFor, InferredForRequest(member)) for member in members)
    evidence = Evidence(writers, dict(zip(members, (found.addresses for found in inferred))), generated)
    return GeneratorFindings(
        tuple(
            f"{request.address}: there is no target `{entry.text}`."
            if entry.target is None
            else f"{request.address}: `{entry.text}` is inferred, and need not be written."
            for entry in writers
            if entry.target is None or evidence.is_superfluous(entry)
        )
    )


def _generator(target: Target) -> Address:
    return target.address.maybe_convert_to_target_generator()


@rule(desc="Look for dependencies that nobody needs to write", level=LogLevel.DEBUG)
async def check_written_dependencies(
    request: WrittenDependenciesRequest.Batch[WrittenDependenciesFieldSet, Any],
) -> LintResult:
    generators = sorted({field_set.address.maybe_convert_to_target_generator() for field_set in request.elements})
    findings = await MultiGet(Get(GeneratorFindings, GeneratorRequest(address)) for address in generators)
    return report(request.tool_name, (line for found in findings for line in found.lines), _REMEDY)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *WrittenDependenciesRequest.rules())
