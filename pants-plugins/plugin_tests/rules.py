"""Runs a file of plugin tests, as a part of the goal `test`.

The Python backend takes pytest from one resolve for all targets, and that is the code's: hence a rule of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.target_types import ConsoleScript, InterpreterConstraintsField
from pants.backend.python.util_rules import pex_from_targets, python_sources
from pants.backend.python.util_rules.interpreter_constraints import InterpreterConstraints
from pants.backend.python.util_rules.pex import Pex, PexRequest, VenvPex, VenvPexProcess
from pants.backend.python.util_rules.pex_from_targets import RequirementsPexRequest
from pants.backend.python.util_rules.python_sources import PythonSourceFiles, PythonSourceFilesRequest
from pants.core.goals.test import TestFieldSet, TestRequest, TestResult, TestSubsystem
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import DigestSubset, PathGlobs, Snapshot
from pants.engine.process import FallibleProcessResult, ProcessCacheScope
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import TransitiveTargets, TransitiveTargetsRequest
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel

from plugin_tests.target_types import PluginTestSourceField


class PluginTests(Subsystem):
    options_scope = "plugin-pytest"
    name = "Plugin tests"
    help = "The tests of the Pants plugins of this repository."

    skip = SkipOption("test")


@dataclass(frozen=True)
class PluginTestFieldSet(TestFieldSet):
    required_fields = (PluginTestSourceField,)

    sources: PluginTestSourceField
    interpreter_constraints: InterpreterConstraintsField


class PluginTestRequest(TestRequest):
    tool_subsystem = PluginTests  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    field_set_type = PluginTestFieldSet


@rule(desc="Run plugin tests", level=LogLevel.DEBUG)
async def run_plugin_tests(
    batch: PluginTestRequest.Batch[PluginTestFieldSet, Any],
    test_subsystem: TestSubsystem,
    python_setup: PythonSetup,
) -> TestResult:
    field_set = batch.single_element
    constraints = InterpreterConstraints.create_from_compatibility_fields(
        [field_set.interpreter_constraints], python_setup
    )
    transitive, requirements, tests = await MultiGet(
        Get(TransitiveTargets, TransitiveTargetsRequest([field_set.address])),
        Get(Pex, RequirementsPexRequest([field_set.address])),
        Get(SourceFiles, SourceFilesRequest([field_set.sources])),
    )
    sources, runner = await MultiGet(
        Get(PythonSourceFiles, PythonSourceFilesRequest(transitive.closure, include_files=True)),
        Get(
            VenvPex,
            PexRequest(
                output_filename="plugin_tests.pex",
                internal_only=True,
                interpreter_constraints=constraints,
                main=ConsoleScript("pytest"),
                pex_path=[requirements],
            ),
        ),
    )
    report = f"{field_set.address.path_safe_spec}.xml"
    result = await Get(
        FallibleProcessResult,
        VenvPexProcess(
            runner,
            argv=("-p", "no:cacheprovider", f"--junit-xml={report}", *tests.files),
            extra_env={"PEX_EXTRA_SYS_PATH": ":".join(sources.source_roots)},
            input_digest=sources.source_files.snapshot.digest,
            output_files=(report,),
            description=f"Run plugin tests of {field_set.address}",
            cache_scope=(ProcessCacheScope.PER_SESSION if test_subsystem.force else ProcessCacheScope.SUCCESSFUL),
        ),
    )
    return TestResult.from_fallible_process_result(
        result,
        address=field_set.address,
        output_setting=test_subsystem.output,
        xml_results=await Get(Snapshot, DigestSubset(result.output_digest, PathGlobs([report]))),
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *PluginTestRequest.rules(),
        *pex_from_targets.rules(),
        *python_sources.rules(),
    )
