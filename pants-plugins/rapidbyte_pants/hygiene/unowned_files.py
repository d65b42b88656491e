"""Reports files that no target owns: nothing tests, packages or checks them, and no edit of them is noticed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pants.core.goals.lint import LintFilesRequest, LintResult
from pants.core.goals.tailor import AllOwnedSources
from pants.core.util_rules.partitions import Partitions
from pants.engine.internals.build_files import BuildFileOptions
from pants.engine.rules import Rule, collect_rules, rule
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption, StrListOption
from pants.option.subsystem import Subsystem
from pants.source.filespec import FilespecMatcher
from pants.util.logging import LogLevel
from pants.util.strutil import help_text, softwrap

from rapidbyte_pants.hygiene.report import report

_REMEDY = softwrap(
    """
    Run `tailor`, which proposes the targets that it knows of, or add the file to the sources of a target. What needs
    none belongs in `[unowned-files].ignore`.
    """
)


class UnownedFiles(Subsystem):
    options_scope = "unowned-files"
    name = "Unowned files"
    help = help_text(
        """
        A linter that reports files which no target owns. BUILD files, and what `.gitignore` or `[GLOBAL].pants_ignore`
        names, are no files to it.
        """
    )

    globs = StrListOption(
        default=[],
        help="The files that need an owner, as globs from the build root. Without any, the linter reports nothing.",
    )
    ignore = StrListOption(default=["**/*.md"], help="The files among them that need none, as globs.")
    skip = SkipOption("lint")


class UnownedFilesRequest(LintFilesRequest):
    tool_subsystem = UnownedFiles  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.


@rule
async def select_files(
    request: UnownedFilesRequest.PartitionRequest, unowned: UnownedFiles, build_files: BuildFileOptions
) -> Partitions[str, Any]:
    if unowned.skip or not unowned.globs:
        return Partitions()
    wanted = FilespecMatcher(unowned.globs, (*unowned.ignore, *build_files.patterns)).matches(list(request.files))
    return Partitions.single_partition(sorted(wanted)) if wanted else Partitions()


@rule(desc="Look for files that no target owns", level=LogLevel.DEBUG)
async def find_unowned(request: UnownedFilesRequest.Batch[str, Any], owned: AllOwnedSources) -> LintResult:
    known = frozenset(owned)
    return report(
        request.tool_name, (f"{file}: no target owns it." for file in request.elements if file not in known), _REMEDY
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *UnownedFilesRequest.rules())
