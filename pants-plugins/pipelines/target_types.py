"""The targets of pipeline documents and their fields."""

from __future__ import annotations

from pants.core.target_types import FileSourceField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    Dependencies,
    MultipleSourcesField,
    SingleSourceField,
    StringField,
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


class ResourceDocumentField(SingleSourceField):
    """A document that becomes a resource: of a class of its own, so that no test's path means this target too."""

    expected_file_extensions = (".yaml",)
    required = True
    # What is generated from it is a resource, whose name begins below a source root.
    uses_source_roots = True
    help = "The document."


class ResourceDirectoryField(StringField):
    alias = "resource_dir"
    required = True
    help = help_text(
        """
        The folder, relative to the build root, in which what depends on the document finds it under its own name. It
        has to be below a source root.
        """
    )


class PipelineResourceTarget(Target):
    alias = "pipeline_resource"
    core_fields = (*COMMON_TARGET_FIELDS, Dependencies, ResourceDocumentField, ResourceDirectoryField)
    help = help_text(
        """
        A pipeline document as a resource of a package of code that is elsewhere. It brings no connectors: code that
        only carries the document does not wait for them.
        """
    )
