"""The target of workflows and its fields."""

from __future__ import annotations

from pants.engine.target import COMMON_TARGET_FIELDS, MultipleSourcesField, Target


class WorkflowSourcesField(MultipleSourcesField):
    default = ("*.yml",)
    expected_file_extensions = (".yml", ".yaml")
    uses_source_roots = False
    help = "The workflows."


class WorkflowsTarget(Target):
    alias = "workflows"
    core_fields = (*COMMON_TARGET_FIELDS, WorkflowSourcesField)
    help = "Workflows of GitHub Actions, which `lint` holds to their schema and to what is safe."
