"""Infers the snapshots of a test: in `__snapshots__` beside it, a file or a folder that has the name of its module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from pants.backend.python.target_types import PythonTestsDependenciesField, PythonTestSourceField
from pants.core.target_types import FileSourceField
from pants.engine.addresses import Address
from pants.engine.rules import Rule, collect_rules, rule
from pants.engine.target import AllTargets, FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

_FOLDER = "__snapshots__"


@dataclass(frozen=True)
class AllSnapshots:
    """The targets of snapshots, by the path of the test that they belong to."""

    by_test: FrozenDict[str, tuple[Address, ...]]


@dataclass(frozen=True)
class SnapshotInferenceFieldSet(FieldSet):
    required_fields = (PythonTestSourceField, PythonTestsDependenciesField)

    source: PythonTestSourceField


class InferSnapshotDependencies(InferDependenciesRequest[SnapshotInferenceFieldSet]):
    infer_from = SnapshotInferenceFieldSet


def owner_of(snapshot: str) -> str | None:
    """Give the path of the test that a file is a snapshot of, or None for a file that is none."""
    parts = PurePosixPath(snapshot).parts
    if _FOLDER not in parts[:-1]:
        return None
    index = parts.index(_FOLDER)
    module = PurePosixPath(parts[index + 1]).stem if index + 2 == len(parts) else parts[index + 1]
    return str(PurePosixPath(*parts[:index], f"{module}.py"))


@rule(desc="Find the snapshots of tests", level=LogLevel.DEBUG)
async def find_snapshots(targets: AllTargets) -> AllSnapshots:
    found: dict[str, list[Address]] = {}
    for target in targets:
        if target.has_field(FileSourceField):
            test = owner_of(target[FileSourceField].file_path)
            if test is not None:
                found.setdefault(test, []).append(target.address)
    return AllSnapshots(FrozenDict({test: tuple(sorted(addresses)) for test, addresses in found.items()}))


@rule
async def infer_snapshots(request: InferSnapshotDependencies, snapshots: AllSnapshots) -> InferredDependencies:
    return InferredDependencies(snapshots.by_test.get(request.field_set.source.file_path, ()))


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(InferDependenciesRequest, InferSnapshotDependencies))
