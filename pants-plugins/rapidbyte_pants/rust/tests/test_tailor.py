"""Tests what targets are proposed for crates that have none."""

from __future__ import annotations

import pytest
from pants.core.goals import tailor as core_tailor
from pants.core.goals.tailor import AllOwnedSources, PutativeTarget, PutativeTargets
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.rust import tailor
from rapidbyte_pants.rust.tailor import PutativeCrateTargetsRequest
from rapidbyte_pants.rust.target_types import CargoWorkspaceTarget, RustCrateTarget, WasmConnectorTarget

_DIRS = ("guests", "guests/upper", "guests/sdk", "guests/owned", "guests/broken")


@pytest.fixture
def runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *core_tailor.rules(),
            *tailor.rules(),
            QueryRule(AllOwnedSources, []),
            QueryRule(PutativeTargets, [PutativeCrateTargetsRequest]),
        ],
        target_types=[CargoWorkspaceTarget, RustCrateTarget, WasmConnectorTarget],
    )
    runner.write_files(
        {
            "guests/Cargo.toml": '[workspace]\nmembers = ["upper", "sdk"]\n',
            "guests/Cargo.lock": "",
            "guests/upper/Cargo.toml": '[package]\nname = "upper"\n[lib]\ncrate-type = ["cdylib", "rlib"]\n',
            "guests/sdk/Cargo.toml": '[package]\nname = "sdk"\n',
            "guests/owned/Cargo.toml": '[package]\nname = "owned"\n',
            "guests/owned/BUILD": "rust_crate()",
            "guests/broken/Cargo.toml": "[package\n",
        }
    )
    return runner


def _proposed(runner: RuleRunner) -> list[PutativeTarget]:
    return list(runner.request(PutativeTargets, [PutativeCrateTargetsRequest(_DIRS)]))


def test_crates_and_workspaces_without_a_target_get_one(runner: RuleRunner) -> None:
    assert [(found.address.spec, found.type_alias) for found in _proposed(runner)] == [
        ("guests:workspace", "cargo_workspace"),
        ("guests/sdk:sdk", "rust_crate"),
        ("guests/upper:upper", "wasm_connector"),
    ]
    assert [found.generate_build_file_stanza("    ") for found in _proposed(runner)] == [
        'cargo_workspace(\n    name="workspace",\n)\n',
        "rust_crate()\n",
        "wasm_connector()\n",
    ]


def test_manifest_that_cannot_be_read_is_told(runner: RuleRunner, caplog: pytest.LogCaptureFixture) -> None:
    _proposed(runner)
    assert "No target can be proposed: guests/broken/Cargo.toml is not valid TOML" in caplog.text


def test_nothing_is_proposed_where_it_is_switched_off(runner: RuleRunner) -> None:
    runner.set_options(["--no-rust-tailor"])
    assert _proposed(runner) == []
