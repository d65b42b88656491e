"""What the backend of pipeline documents adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from rapidbyte_pants.pipelines import dependency_inference, document_resource, tailor
from rapidbyte_pants.pipelines.target_types import PipelineResourceTarget, PipelinesTarget, PipelineTarget


def target_types() -> Iterable[type[Target]]:
    return (PipelineResourceTarget, PipelineTarget, PipelinesTarget)


def rules() -> Iterable[Rule | UnionRule]:
    return (*dependency_inference.rules(), *document_resource.rules(), *tailor.rules())
