"""Infers what a crate depends on: the workspace, and the crates of it that the manifest names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.rules import Rule, collect_rules, rule
from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from rapidbyte_pants.rust.target_types import CrateDependenciesField, CrateSourcesField
from rapidbyte_pants.rust.workspace import AllCrates, CargoWorkspace


@dataclass(frozen=True)
class CrateInferenceFieldSet(FieldSet):
    required_fields = (CrateSourcesField, CrateDependenciesField)

    sources: CrateSourcesField


class InferCrateDependencies(InferDependenciesRequest[CrateInferenceFieldSet]):
    infer_from = CrateInferenceFieldSet


@rule
async def infer_crate_dependencies(
    request: InferCrateDependencies, crates: AllCrates, workspace: CargoWorkspace
) -> InferredDependencies:
    manifest = crates.at(request.field_set.address).manifest
    named = (crates.by_package[name] for name in sorted(manifest.dependencies) if name in crates.by_package)
    return InferredDependencies([workspace.address, *(crate.address for crate in named)])


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(InferDependenciesRequest, InferCrateDependencies))
