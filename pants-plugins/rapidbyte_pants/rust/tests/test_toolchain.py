"""Tests how the toolchain is found, and which of several is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
from pants.core.util_rules import system_binaries
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.rust import toolchain
from rapidbyte_pants.rust.tests.fake_toolchain import write_toolchain
from rapidbyte_pants.rust.toolchain import RustToolchain, WasmSupport


@pytest.fixture
def runner() -> RuleRunner:
    return RuleRunner(rules=[*toolchain.rules(), *system_binaries.rules(), QueryRule(RustToolchain, [])])


def _find(runner: RuleRunner, *folders: Path) -> RustToolchain:
    runner.set_options([f"--rust-search-path={[str(folder) for folder in folders]}"], env_inherit={"PATH"})
    return runner.request(RustToolchain, [])


def test_toolchain_that_ships_the_target_goes_before_one_that_does_not(runner: RuleRunner, tmp_path: Path) -> None:
    plain = write_toolchain(tmp_path / "plain", ships_wasm=False)
    able = write_toolchain(tmp_path / "able", version="1.91.0")
    found = _find(runner, plain, able)
    assert (found.cargo, found.rustc) == (str(able / "cargo"), str(able / "rustc"))
    assert (found.sysroot, found.host) == (str(tmp_path / "able"), "x86_64-unknown-linux-gnu")
    assert (found.wasm, found.version) == (WasmSupport.SHIPPED, "rustc 1.91.0")
    assert found.startup_object == f"{tmp_path}/able/lib/rustlib/wasm32-wasip1/lib/self-contained/crt1-reactor.o"


def test_program_that_does_not_run_is_passed_over(runner: RuleRunner, tmp_path: Path) -> None:
    broken = write_toolchain(tmp_path / "broken")
    (broken / "rustc").write_text("#!/bin/sh\nexit 1\n")
    able = write_toolchain(tmp_path / "able")
    assert _find(runner, broken, able).rustc == str(able / "rustc")


def test_identity_follows_the_compiler_and_its_libraries(runner: RuleRunner, tmp_path: Path) -> None:
    first = _find(runner, write_toolchain(tmp_path / "first"))
    same = _find(runner, write_toolchain(tmp_path / "same"))
    newer = _find(runner, write_toolchain(tmp_path / "newer", version="1.91.0"))
    libraries = tmp_path / "rebuilt"
    programs = write_toolchain(libraries)
    (libraries / "lib/rustlib/wasm32-wasip1/lib/libcore-fedcba9876543210.rlib").write_bytes(b"")
    rebuilt = _find(runner, programs)
    assert first.identity == same.identity
    assert len({first.identity, newer.identity, rebuilt.identity}) == 3


@pytest.mark.parametrize(
    ("exists", "message"),
    [
        (True, "cannot compile for wasm32-wasip1. Add the target with `rustup target add wasm32-wasip1`"),
        (False, "Install it with rustup and run `rustup target add wasm32-wasip1`"),
    ],
)
def test_missing_toolchain_is_told_with_its_remedy(
    runner: RuleRunner, tmp_path: Path, exists: bool, message: str
) -> None:
    folder = write_toolchain(tmp_path / "plain", ships_wasm=False) if exists else tmp_path
    with pytest.raises(ExecutionError) as raised:
        _find(runner, folder)
    assert message in str(raised.value)
