"""Tests that the guest of the README is built as it says, and that the options it lists are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pants.core.goals import tailor as core_tailor
from pants.core.goals.tailor import PutativeTargets
from pants.core.target_types import ResourceSourceField
from pants.core.util_rules import system_binaries
from pants.engine.addresses import Address
from pants.engine.target import HydratedSources, HydrateSourcesRequest, SourcesField
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.affected.subsystem import AffectedSubsystem
from rapidbyte_pants.hygiene.unowned_files import UnownedFiles
from rapidbyte_pants.hygiene.unused_fixtures import UnusedFixtures
from rapidbyte_pants.hygiene.written_dependencies import WrittenDependencies
from rapidbyte_pants.outside_services.subsystem import OutsideServices
from rapidbyte_pants.pipelines.subsystem import PipelinesSubsystem
from rapidbyte_pants.ruff.subsystem import Ruff
from rapidbyte_pants.rust import register
from rapidbyte_pants.rust.clippy import Clippy
from rapidbyte_pants.rust.named_dependencies import CargoDependencies
from rapidbyte_pants.rust.rustfmt import Rustfmt
from rapidbyte_pants.rust.subsystem import RustSubsystem
from rapidbyte_pants.rust.tailor import PutativeCrateTargetsRequest
from rapidbyte_pants.rust.tests.fake_toolchain import write_toolchain
from rapidbyte_pants.snapshots.orphaned_snapshots import OrphanedSnapshots
from rapidbyte_pants.test_page.subsystem import TestPage

README = (Path(__file__).resolve().parents[4] / "pants-plugins/README.md").read_text(encoding="utf-8")
SUBSYSTEMS = (
    *(RustSubsystem, Clippy, Rustfmt, CargoDependencies),
    *(AffectedSubsystem, OutsideServices, TestPage),
    *(UnownedFiles, UnusedFixtures, WrittenDependencies, OrphanedSnapshots, Ruff, PipelinesSubsystem),
)
# The lock that Cargo would write.
_LOCK = 'version = 4\n[[package]]\nname = "sum"\nversion = "0.1.0"\n'


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def runner(tmp_path: Path) -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *core_tailor.rules(),
            *register.rules(),
            *system_binaries.rules(),
            QueryRule(PutativeTargets, [PutativeCrateTargetsRequest]),
            QueryRule(HydratedSources, [HydrateSourcesRequest]),
        ],
        target_types=register.target_types(),
    )
    _, workspace, crate = _blocks("toml")
    (code,) = _blocks("rust")
    runner.write_files(
        {
            "guests/BUILD": _blocks("python")[0],
            "guests/Cargo.toml": workspace,
            "guests/Cargo.lock": _LOCK,
            "guests/sum/Cargo.toml": crate,
            "guests/sum/src/lib.rs": code,
        }
    )
    programs = write_toolchain(tmp_path)
    options = [f"--rust-search-path=['{programs}']", "--no-rust-keep-target-dir"]
    runner.set_options(options, env_inherit={"PATH"})
    return runner


def test_guest_of_the_readme_gets_its_targets_from_tailor_and_is_found_where_it_says(runner: RuleRunner) -> None:
    proposed = runner.request(PutativeTargets, [PutativeCrateTargetsRequest(("guests", "guests/sum"))])
    stanzas = {target.path: re.sub(r"[\s,]+", "", target.generate_build_file_stanza("")) for target in proposed}
    assert stanzas == {"guests": 'cargo_workspace(name="workspace")', "guests/sum": "wasm_connector()"}
    assert [stanza for stanza in stanzas.values() if f"`{stanza}`" not in README] == []
    runner.write_files(
        {"guests/BUILD": _blocks("python")[0] + stanzas["guests"], "guests/sum/BUILD": stanzas["guests/sum"]}
    )
    sources = runner.get_target(Address("guests/sum"))[SourcesField]
    request = HydrateSourcesRequest(sources, for_sources_types=(ResourceSourceField,), enable_codegen=True)
    assert runner.request(HydratedSources, [request]).snapshot.files == ("src/app/guests/sum.wasm",)


def test_options_of_the_readme_are_those_of_the_backends() -> None:
    named: set[tuple[str, str]] = set()
    for row in re.findall(r"^\| (`\[.*?) \|", README, re.MULTILINE):
        (scope,) = set(re.findall(r"`\[([\w-]+)\]", row))
        named |= {(scope, option) for option in re.findall(r"\.(\w+)`", row)}
    scopes = {subsystem.options_scope: subsystem for subsystem in SUBSYSTEMS}
    assert {scope for scope, _ in named} == set(scopes)
    assert [(scope, option) for scope, option in sorted(named) if not hasattr(scopes[scope], option)] == []
