"""Infers the connectors that a pipeline document uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.util_rules import source_files
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import Digest, DigestContents
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import FieldSet, InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule

from rapidbyte_pants.pipelines.target_types import PipelineDependenciesField, PipelineSourceField
from rapidbyte_pants.pipelines.uses import connector_packages
from rapidbyte_pants.rust.workspace import AllCrates


@dataclass(frozen=True)
class PipelineInferenceFieldSet(FieldSet):
    required_fields = (PipelineSourceField, PipelineDependenciesField)

    source: PipelineSourceField


class InferPipelineDependencies(InferDependenciesRequest[PipelineInferenceFieldSet]):
    infer_from = PipelineInferenceFieldSet


@rule
async def infer_pipeline_dependencies(request: InferPipelineDependencies, crates: AllCrates) -> InferredDependencies:
    source = await Get(SourceFiles, SourceFilesRequest([request.field_set.source]))
    (document,) = await Get(DigestContents, Digest, source.snapshot.digest)
    # A name without a connector is the engine's to report: there are documents that have one on purpose.
    found = (crates.connector(package) for package in sorted(connector_packages(document.content)))
    return InferredDependencies([crate.address for crate in found if crate is not None])


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *source_files.rules(),
        UnionRule(InferDependenciesRequest, InferPipelineDependencies),
    )
