"""Runs a crate's own tests, on this machine, as a part of the goal `test`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.core.goals.test import TestExtraEnv, TestFieldSet, TestRequest, TestResult, TestSubsystem
from pants.engine.fs import CreateDigest, FileContent, Snapshot
from pants.engine.process import FallibleProcessResult, Process, ProcessCacheScope
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.cargo import CargoProcess
from rapidbyte_pants.rust.junit import Outcome, junit_report, parse_cargo_test
from rapidbyte_pants.rust.subsystem import RustSubsystem
from rapidbyte_pants.rust.target_types import CrateSourcesField, SkipCrateTestsField
from rapidbyte_pants.rust.workspace import CrateInputs, CrateInputsRequest

_TEST = 'cargo test --quiet --no-run --offline --package "$1" --target-dir "$target"\n' + (
    'cargo test --offline --no-fail-fast --package "$1" --target-dir "$target" -- --color never\n'
)


@dataclass(frozen=True)
class CrateTestFieldSet(TestFieldSet):
    required_fields = (CrateSourcesField,)

    sources: CrateSourcesField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return bool(tgt.get(SkipCrateTestsField).value)


class CrateTestRequest(TestRequest):
    tool_subsystem = RustSubsystem  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    field_set_type = CrateTestFieldSet


@rule(desc="Run cargo test", level=LogLevel.DEBUG)
async def run_cargo_test(
    batch: CrateTestRequest.Batch[CrateTestFieldSet, Any], test_subsystem: TestSubsystem, extra_env: TestExtraEnv
) -> TestResult:
    address = batch.single_element.address
    inputs = await Get(CrateInputs, CrateInputsRequest(address))
    process = await Get(
        Process,
        CargoProcess(
            script=_TEST,
            arguments=(inputs.package,),
            workspace_folder=inputs.workspace_folder,
            input_digest=inputs.digest,
            description=f"Run cargo test for {address}",
            kept_as=inputs.kept_as("native"),
            environment=FrozenDict(extra_env.env),
            cache_scope=(ProcessCacheScope.PER_SESSION if test_subsystem.force else ProcessCacheScope.SUCCESSFUL),
        ),
    )
    result = await Get(FallibleProcessResult, Process, process)
    tests = parse_cargo_test(result.stdout.decode(errors="replace"))
    if result.exit_code == 0 and not tests:
        return TestResult.no_tests_found(address, test_subsystem.output)
    did_run = result.exit_code == 0 or any(test.outcome is Outcome.FAILED for test in tests)
    report = junit_report(address.spec, tests, did_run=did_run)
    xml = await Get(Snapshot, CreateDigest([FileContent(f"{address.path_safe_spec}.xml", report)]))
    return TestResult.from_fallible_process_result(
        result, address=address, output_setting=test_subsystem.output, xml_results=xml
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *CrateTestRequest.rules())
