"""Tests that a test depends on its own snapshots."""

from __future__ import annotations

import pytest
from pants.backend.python.target_types import PythonTestTarget
from pants.core.target_types import FilesGeneratorTarget, FileTarget
from pants.core.target_types import rules as core_rules
from pants.engine.addresses import Address
from pants.engine.target import InferredDependencies
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.snapshots import dependency_inference
from rapidbyte_pants.snapshots.dependency_inference import (
    InferSnapshotDependencies,
    SnapshotInferenceFieldSet,
    owner_of,
)


@pytest.mark.parametrize(
    ("snapshot", "test"),
    [
        ("tests/cli/__snapshots__/test_a.ambr", "tests/cli/test_a.py"),
        ("tests/__snapshots__/test_a/test_picture.svg", "tests/test_a.py"),
        ("__snapshots__/test_a.ambr", "test_a.py"),
        ("tests/cli/test_a.ambr", None),
        ("tests/cli/__snapshots__", None),
    ],
)
def test_snapshot_belongs_to_the_test_of_its_name(snapshot: str, test: str | None) -> None:
    assert owner_of(snapshot) == test


def test_test_depends_on_its_own_snapshots_alone() -> None:
    runner = RuleRunner(
        rules=[
            *core_rules(),
            *dependency_inference.rules(),
            QueryRule(InferredDependencies, [InferSnapshotDependencies]),
        ],
        target_types=[FilesGeneratorTarget, FileTarget, PythonTestTarget],
    )
    runner.write_files(
        {
            "cli/BUILD": "\n".join(
                (
                    "python_test(name='a', source='test_a.py')",
                    "python_test(name='b', source='test_b.py')",
                    "files(name='snapshots', sources=['__snapshots__/**/*'])",
                )
            ),
            "cli/test_a.py": "",
            "cli/test_b.py": "",
            "cli/__snapshots__/test_a.ambr": "",
            "cli/__snapshots__/test_a/picture.svg": "",
            "cli/__snapshots__/test_ab.ambr": "",
        }
    )

    def inferred(name: str) -> list[str]:
        target = runner.get_target(Address("cli", target_name=name))
        request = InferSnapshotDependencies(SnapshotInferenceFieldSet.create(target))
        return sorted(str(address) for address in runner.request(InferredDependencies, [request]).include)

    assert inferred("a") == [
        "cli/__snapshots__/test_a.ambr:../snapshots",
        "cli/__snapshots__/test_a/picture.svg:../../snapshots",
    ]
    assert inferred("b") == []
