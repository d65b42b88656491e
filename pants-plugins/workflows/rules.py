"""Runs the linters of workflows, without a network."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import FieldSet
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel
from pants.util.meta import classproperty

from workflows.subsystem import Workflows
from workflows.target_types import WorkflowSourcesField

_SCHEMA = ("check-jsonschema", "--builtin-schema", "vendor.github-workflows")
_AUDIT = ("zizmor", "--offline", "--strict-collection", "--no-progress", "--color=never")


@dataclass(frozen=True)
class WorkflowFieldSet(FieldSet):
    required_fields = (WorkflowSourcesField,)

    sources: WorkflowSourcesField


class SchemaRequest(LintTargetsRequest):
    field_set_type = WorkflowFieldSet
    tool_subsystem = Workflows  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "workflow schema"


class AuditRequest(LintTargetsRequest):
    field_set_type = WorkflowFieldSet
    tool_subsystem = Workflows  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "workflow audit"


@dataclass(frozen=True)
class LinterRun:
    """One call of a linter on workflows."""

    command: tuple[str, ...]
    field_sets: tuple[WorkflowFieldSet, ...]


@rule(level=LogLevel.DEBUG)
async def run_linter(run: LinterRun, workflows: Workflows, python_setup: PythonSetup) -> FallibleProcessResult:
    script, *options = run.command
    program = await Get(VenvPex, PexRequest, workflows.pex_request(script, python_setup))
    sources = await Get(SourceFiles, SourceFilesRequest(field_set.sources for field_set in run.field_sets))
    process = VenvPexProcess(
        program,
        argv=(*options, *sources.files),
        input_digest=sources.snapshot.digest,
        description=f"Run {script}",
        level=LogLevel.DEBUG,
    )
    return await Get(FallibleProcessResult, VenvPexProcess, process)


@rule(desc="Check the form of workflows", level=LogLevel.DEBUG)
async def check_schema(request: SchemaRequest.Batch[WorkflowFieldSet, Any]) -> LintResult:
    result = await Get(FallibleProcessResult, LinterRun(_SCHEMA, request.elements))
    return LintResult.create(request, result, strip_chroot_path=True)


@rule(desc="Audit workflows", level=LogLevel.DEBUG)
async def audit(request: AuditRequest.Batch[WorkflowFieldSet, Any]) -> LintResult:
    result = await Get(FallibleProcessResult, LinterRun(_AUDIT, request.elements))
    return LintResult.create(request, result, strip_chroot_path=True)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *SchemaRequest.rules(), *AuditRequest.rules(), *pex.rules())
