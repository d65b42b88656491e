"""Tests that a snapshot whose test is gone is reported, whatever else owns it or depends on it."""

from __future__ import annotations

from pants.backend.python import target_types_rules
from pants.backend.python.target_types import PythonTestsGeneratorTarget, PythonTestTarget
from pants.core.goals.lint import LintResult
from pants.core.target_types import FilesGeneratorTarget, FileTarget
from pants.core.target_types import rules as core_rules
from pants.core.util_rules.partitions import Partitions
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.snapshots import register
from rapidbyte_pants.snapshots.orphaned_snapshots import OrphanedSnapshotsRequest

_FILES = {
    "BUILD": "files(name='documents', sources=['cli/__snapshots__/*'])",
    "cli/BUILD": "python_tests(dependencies=['//:documents'])\nfiles(name='snapshots', sources=['__snapshots__/**/*'])",
    "cli/test_a.py": "",
    "cli/plain.py": "",
    "cli/__snapshots__/BUILD": "",
    "cli/__snapshots__/test_a.ambr": "",
    "cli/__snapshots__/test_a/picture.svg": "",
    "cli/__snapshots__/test_gone.ambr": "",
    "cli/__snapshots__/test_gone/picture.svg": "",
    "cli/__snapshots__/plain.ambr": "",
}


def _lint(*options: str) -> tuple[int, list[str]]:
    runner = RuleRunner(
        rules=[
            *core_rules(),
            *target_types_rules.rules(),
            *register.rules(),
            QueryRule(Partitions, [OrphanedSnapshotsRequest.PartitionRequest]),
            QueryRule(LintResult, [OrphanedSnapshotsRequest.Batch]),
        ],
        target_types=[FilesGeneratorTarget, FileTarget, PythonTestsGeneratorTarget, PythonTestTarget],
    )
    runner.write_files(_FILES)
    runner.set_options(["--python-infer-use-rust-parser", *options], env_inherit={"PATH", "PYENV_ROOT", "HOME"})
    partitions = runner.request(Partitions, [OrphanedSnapshotsRequest.PartitionRequest(tuple(_FILES))])
    if not partitions:
        return 0, []
    (partition,) = partitions
    batch = OrphanedSnapshotsRequest.Batch("orphaned-snapshots", partition.elements, partition.metadata)
    result = runner.request(LintResult, [batch])
    return result.exit_code, result.stdout.splitlines()[:-1]


def test_snapshot_without_its_test_is_reported() -> None:
    assert _lint() == (
        1,
        [
            "cli/__snapshots__/plain.ambr: there is no test cli/plain.py.",
            "cli/__snapshots__/test_gone.ambr: there is no test cli/test_gone.py.",
            "cli/__snapshots__/test_gone/picture.svg: there is no test cli/test_gone.py.",
        ],
    )


def test_linter_can_be_left_out() -> None:
    assert _lint("--orphaned-snapshots-skip") == (0, [])
