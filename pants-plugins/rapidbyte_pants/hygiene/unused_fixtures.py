"""Reports fixtures that nothing depends on any more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pants.backend.project_info.dependents import AddressToDependents
from pants.backend.project_info.dependents import rules as dependents_rules
from pants.core.goals.lint import LintFilesRequest, LintResult
from pants.core.util_rules.partitions import Partitions
from pants.engine.addresses import Address
from pants.engine.internals.build_files import BuildFileOptions
from pants.engine.internals.graph import Owners, OwnersRequest
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption, StrListOption
from pants.option.subsystem import Subsystem
from pants.source.filespec import FilespecMatcher
from pants.util.logging import LogLevel
from pants.util.strutil import help_text, softwrap

from rapidbyte_pants.hygiene.report import report
from rapidbyte_pants.hygiene.written import AllWrittenDependencies

_REMEDY = softwrap(
    """
    Remove it, or let what uses it depend on it: a test that writes the path of a fixture as one string does so by
    itself. What is used in a way that Pants cannot see belongs in `[unused-fixtures].ignore`.
    """
)


class UnusedFixtures(Subsystem):
    options_scope = "unused-fixtures"
    name = "Unused fixtures"
    help = help_text(
        """
        A linter that reports fixtures on which no target depends. A file that no target owns is not its affair, but
        that of `unowned-files`.
        """
    )

    globs = StrListOption(
        default=[],
        help="The files that something has to depend on, as globs. Without any, the linter reports nothing.",
    )
    ignore = StrListOption(default=[], help="The files among them that are used in another way, as globs.")
    skip = SkipOption("lint")


class UnusedFixturesRequest(LintFilesRequest):
    tool_subsystem = UnusedFixtures  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.


def is_used(owners: Iterable[Address], dependents: AddressToDependents) -> bool:
    """Tell whether another target than its own generator depends on an owner, or on the generator as a whole."""
    for owner in owners:
        generator = owner.maybe_convert_to_target_generator()
        if set(dependents.mapping.get(owner, ())) - {generator} or dependents.mapping.get(generator):
            return True
    return False


@rule
async def select_fixtures(
    request: UnusedFixturesRequest.PartitionRequest, fixtures: UnusedFixtures, build_files: BuildFileOptions
) -> Partitions[str, Any]:
    if fixtures.skip or not fixtures.globs:
        return Partitions()
    wanted = FilespecMatcher(fixtures.globs, (*fixtures.ignore, *build_files.patterns)).matches(list(request.files))
    return Partitions.single_partition(sorted(wanted)) if wanted else Partitions()


@rule(desc="Look for fixtures that nothing depends on", level=LogLevel.DEBUG)
async def find_unused(request: UnusedFixturesRequest.Batch[str, Any], written: AllWrittenDependencies) -> LintResult:
    # Who depends on what cannot be told while an address leads nowhere; `written-dependencies` says which.
    if written.missing():
        return report(request.tool_name, (), _REMEDY)
    dependents = await Get(AddressToDependents)
    all_owners = await MultiGet(Get(Owners, OwnersRequest((file,))) for file in request.elements)
    return report(
        request.tool_name,
        (
            f"{file}: nothing depends on it."
            for file, owners in zip(request.elements, all_owners)
            if owners and not is_used(owners, dependents)
        ),
        _REMEDY,
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *dependents_rules(), *UnusedFixturesRequest.rules())
