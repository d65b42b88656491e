"""The targets of pipeline documents and their fields."""

from __future__ import annotations

from pants.core.target_types import FileSourceField
from pants.engine.target import COMMON_TARGET_FIELDS, Dependencies, MultipleSourcesField, Target, TargetFilesGenerator


class PipelineSourceField(FileSourceField):
    """A kind of file, so that a test that names the document's path depends on it."""

    expected_file_extensions = (".yaml",)


class PipelineDependenciesField(Dependencies):
    help = "The addresses this document depends on. The connectors that it uses are inferred."


class PipelineTarget(Target):
    alias = "pipeline"
    core_fields = (*COMMON_TARGET_FIELDS, PipelineSourceField, PipelineDependenciesField)
    help = "A pipeline document. What depends on it also gets the connectors it uses."


class PipelinesSourcesField(MultipleSourcesField):
    default = ("*.yaml",)
    expected_file_extensions = (".yaml",)
    uses_source_roots = False
    help = "The documents, each of which becomes a `pipeline`."


class PipelinesTarget(TargetFilesGenerator):
    alias = "pipelines"
    core_fields = (*COMMON_TARGET_FIELDS, PipelinesSourcesField)
    generated_target_cls = PipelineTarget
    copied_fields = COMMON_TARGET_FIELDS
    moved_fields = (PipelineDependenciesField,)
    help = "Generates a `pipeline` for each document in the folder."
