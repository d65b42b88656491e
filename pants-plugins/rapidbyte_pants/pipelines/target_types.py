"""The targets of pipeline documents and their fields."""

from __future__ import annotations

from pants.core.target_types import FileSourceField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    MultipleSourcesField,
    SpecialCasedDependencies,
    Target,
    TargetFilesGenerator,
)
from pants.util.strutil import help_text


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


class ResourceFolderField(MultipleSourcesField):
    """Nothing of its own: what is generated for it lies in the target's folder, below its source root."""

    alias = "_sources"
    expected_num_files = 0
    uses_source_roots = True


class AdoptedDocumentsField(SpecialCasedDependencies):
    alias = "documents"
    required = True
    help = "The addresses of the documents, such as `fixtures/pipelines:demo`."


class PipelineResourceTarget(Target):
    alias = "pipeline_resource"
    core_fields = (*COMMON_TARGET_FIELDS, ResourceFolderField, AdoptedDocumentsField)
    help = help_text(
        """
        Pipeline documents of other folders, as resources beside the code in this one, under their own names. It brings
        no connectors: code that only carries a document does not wait for them.
        """
    )
