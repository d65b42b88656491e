"""Runs `ruff check` as a linter and fixer, and `ruff format` as a formatter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.util_rules import pex
from pants.backend.python.util_rules.pex import PexRequest, VenvPex, VenvPexProcess
from pants.core.goals.fix import FixResult, FixTargetsRequest
from pants.core.goals.fmt import FmtResult, FmtTargetsRequest
from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import Digest, MergeDigests, Snapshot
from pants.engine.process import FallibleProcessResult
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel
from pants.util.meta import classproperty
from pants.util.strutil import pluralize

from rapidbyte_pants.ruff.subsystem import Ruff, RuffFieldSet


class RuffCheckRequest(LintTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "ruff check"


class RuffFixRequest(FixTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    # A fixer is run as a linter too, where it fails if it would change a file.
    @classproperty
    def tool_name(cls) -> str:
        return "ruff check --fix"


class RuffFormatRequest(FmtTargetsRequest):
    field_set_type = RuffFieldSet
    tool_subsystem = Ruff  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION

    @classproperty
    def tool_name(cls) -> str:
        return "ruff format"


@dataclass(frozen=True)
class RuffRun:
    """One call of ruff on the files of a snapshot."""

    command: tuple[str, ...]
    files: Snapshot


@rule(level=LogLevel.DEBUG)
async def run_ruff(run: RuffRun, ruff: Ruff, python_setup: PythonSetup) -> FallibleProcessResult:
    program, configuration = await MultiGet(
        Get(VenvPex, PexRequest, ruff.pex_request(python_setup)),
        Get(ConfigFiles, ConfigFilesRequest, ruff.config_request(run.files.dirs)),
    )
    inputs = await Get(Digest, MergeDigests((run.files.digest, configuration.snapshot.digest)))
    return await Get(
        FallibleProcessResult,
        VenvPexProcess(
            program,
            argv=(*run.command, "--no-cache", "--force-exclude", *run.files.files),
            input_digest=inputs,
            output_files=run.files.files,
            description=f"Run ruff {run.command[0]} on {pluralize(len(run.files.files), 'file')}.",
            level=LogLevel.DEBUG,
        ),
    )


@rule(desc="Lint with ruff check", level=LogLevel.DEBUG)
async def ruff_check(request: RuffCheckRequest.Batch[RuffFieldSet, Any]) -> LintResult:
    sources = await Get(SourceFiles, SourceFilesRequest(field_set.source for field_set in request.elements))
    result = await Get(FallibleProcessResult, RuffRun(("check",), sources.snapshot))
    return LintResult.create(request, result, strip_chroot_path=True)


@rule(desc="Fix with ruff check", level=LogLevel.DEBUG)
async def ruff_fix(request: RuffFixRequest.Batch) -> FixResult:
    # What it cannot fix is the linter's to report.
    result = await Get(FallibleProcessResult, RuffRun(("check", "--fix", "--exit-zero"), request.snapshot))
    return await FixResult.create(request, result, strip_chroot_path=True)


@rule(desc="Format with ruff", level=LogLevel.DEBUG)
async def ruff_format(request: RuffFormatRequest.Batch) -> FmtResult:
    result = await Get(FallibleProcessResult, RuffRun(("format",), request.snapshot))
    return await FmtResult.create(request, result, strip_chroot_path=True)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *RuffCheckRequest.rules(),
        *RuffFixRequest.rules(),
        *RuffFormatRequest.rules(),
        *pex.rules(),
    )
