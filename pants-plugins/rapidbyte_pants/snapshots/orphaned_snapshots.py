"""Reports snapshots whose test is gone: pytest looks at those of the tests it runs, and so never at these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pants.backend.python.target_types import PythonTestSourceField
from pants.core.goals.lint import LintFilesRequest, LintResult
from pants.core.util_rules.partitions import Partitions
from pants.engine.internals.build_files import BuildFileOptions
from pants.engine.rules import Rule, collect_rules, rule
from pants.engine.target import AllTargets
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem
from pants.source.filespec import FilespecMatcher
from pants.util.logging import LogLevel
from pants.util.strutil import help_text

from rapidbyte_pants.hygiene.report import report
from rapidbyte_pants.snapshots.dependency_inference import owner_of

_REMEDY = "Remove it, or give it the name of the test file that it belongs to."


class OrphanedSnapshots(Subsystem):
    options_scope = "orphaned-snapshots"
    name = "Orphaned snapshots"
    help = help_text(
        """
        A linter that reports files in `__snapshots__` folders that have the name of no test. That some target depends
        on such a file tells nothing: a glob of documents may do so.
        """
    )

    skip = SkipOption("lint")


class OrphanedSnapshotsRequest(LintFilesRequest):
    tool_subsystem = OrphanedSnapshots  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.


@rule
async def select_snapshots(
    request: OrphanedSnapshotsRequest.PartitionRequest, orphaned: OrphanedSnapshots, build_files: BuildFileOptions
) -> Partitions[str, Any]:
    if orphaned.skip:
        return Partitions()
    files = FilespecMatcher(["**"], build_files.patterns).matches(list(request.files))
    snapshots = sorted(file for file in files if owner_of(file) is not None)
    return Partitions.single_partition(snapshots) if snapshots else Partitions()


@rule(desc="Look for snapshots whose test is gone", level=LogLevel.DEBUG)
async def find_orphaned(request: OrphanedSnapshotsRequest.Batch[str, Any], targets: AllTargets) -> LintResult:
    tests = {target[PythonTestSourceField].file_path for target in targets if target.has_field(PythonTestSourceField)}
    found = ((file, owner_of(file)) for file in request.elements)
    return report(
        request.tool_name, (f"{file}: there is no test {test}." for file, test in found if test not in tests), _REMEDY
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *OrphanedSnapshotsRequest.rules())
