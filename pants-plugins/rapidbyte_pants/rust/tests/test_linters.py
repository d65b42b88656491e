"""Tests clippy and rustfmt on crates: what they see, what they are asked, and what is said where they are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pants.core.goals.fmt import FmtResult, Partitions
from pants.core.goals.lint import LintResult
from pants.core.util_rules import system_binaries
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents, PathGlobs, Snapshot
from pants.engine.internals.scheduler import ExecutionError
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.rust import register
from rapidbyte_pants.rust.clippy import ClippyFieldSet, ClippyRequest
from rapidbyte_pants.rust.components import Component, ComponentRequest, FoundComponent
from rapidbyte_pants.rust.rustfmt import Edition, RustfmtFieldSet, RustfmtRequest
from rapidbyte_pants.rust.tests.fake_toolchain import add_components, write_toolchain

_FILES = {
    "guests/BUILD": "cargo_workspace(name='workspace')",
    "guests/Cargo.toml": '[workspace]\nmembers = ["sdk", "old"]\n[workspace.package]\nedition = "2024"\n',
    "guests/Cargo.lock": '[[package]]\nname = "sdk"\nversion = "1.0.0"\n[[package]]\nname = "old"\nversion = "1.0.0"\n',
    "guests/rustfmt.toml": "max_width = 120\n",
    "guests/clippy.toml": "msrv = '1.88'\n",
    "guests/sdk/BUILD": "rust_crate()",
    "guests/sdk/Cargo.toml": '[package]\nname = "sdk"\nedition.workspace = true\n',
    "guests/sdk/src/lib.rs": "mod wire;\n",
    "guests/sdk/src/wire.rs": "\tfn f();\n",
    "guests/sdk/src/types.json": "{}",
    "guests/old/BUILD": "rust_crate(skip_clippy=True)",
    "guests/old/Cargo.toml": '[package]\nname = "old"\n',
    "guests/old/src/lib.rs": "fn g();\n",
}
_SDK, _OLD = Address("guests/sdk"), Address("guests/old")


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    return write_toolchain(tmp_path / "toolchain")


@pytest.fixture
def runner(programs: Path) -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *register.rules(),
            *system_binaries.rules(),
            QueryRule(FoundComponent, [ComponentRequest]),
            QueryRule(LintResult, [ClippyRequest.Batch]),
            QueryRule(Partitions, [RustfmtRequest.PartitionRequest]),
            QueryRule(FmtResult, [RustfmtRequest.Batch]),
        ],
        target_types=register.target_types(),
    )
    runner.write_files(_FILES)
    _set_options(runner, programs)
    return runner


def _set_options(runner: RuleRunner, programs: Path, *options: str) -> None:
    path = f"--rust-search-path=['{programs}']"
    runner.set_options([path, "--no-rust-keep-target-dir", *options], env_inherit={"PATH"})


def _partitions(runner: RuleRunner) -> dict[str, tuple[str, ...]]:
    targets = [runner.get_target(address) for address in (_SDK, _OLD)]
    field_sets = tuple(RustfmtFieldSet.create(target) for target in targets if RustfmtFieldSet.is_applicable(target))
    found = runner.request(Partitions, [RustfmtRequest.PartitionRequest(field_sets)])
    return {partition.metadata.description: partition.elements for partition in found}


def _format(runner: RuleRunner, edition: str, *files: str) -> FmtResult:
    snapshot = runner.request(Snapshot, [PathGlobs(files)])
    batch: Any = RustfmtRequest.Batch("rustfmt", files, Edition(edition), snapshot)
    return runner.request(FmtResult, [batch])


def _lint(runner: RuleRunner) -> LintResult:
    batch: Any = ClippyRequest.Batch("clippy", (ClippyFieldSet.create(runner.get_target(_SDK)),), _NoMetadata())
    return runner.request(LintResult, [batch])


class _NoMetadata:
    description = None


def test_rust_files_are_formatted_for_the_edition_of_their_crate(runner: RuleRunner) -> None:
    assert _partitions(runner) == {
        "edition 2015": ("guests/old/src/lib.rs",),
        "edition 2024": ("guests/sdk/src/lib.rs", "guests/sdk/src/wire.rs"),
    }


def test_files_are_formatted_by_the_configuration_above_them(runner: RuleRunner, programs: Path) -> None:
    add_components(programs)
    result = _format(runner, "2024", "guests/sdk/src/lib.rs", "guests/sdk/src/wire.rs")
    head = b"// formatted: 2024 max_width = 120\n"
    contents = runner.request(DigestContents, [result.output.digest])
    assert {file.path: file.content for file in contents} == {
        "guests/sdk/src/lib.rs": head + b"mod wire;\n",
        "guests/sdk/src/wire.rs": head + b"    fn f();\n",
    }
    assert result.did_change


def test_code_that_rustfmt_cannot_read_is_named(runner: RuleRunner, programs: Path) -> None:
    add_components(programs)
    runner.write_files({"guests/sdk/src/wire.rs": "fn f() {\n"})
    with pytest.raises(ExecutionError) as raised:
        _format(runner, "2024", "guests/sdk/src/wire.rs")
    assert "rustfmt cannot read guests/sdk/src/wire.rs" in str(raised.value)


def test_clippy_sees_its_crate_and_configuration_and_is_asked_for_all_targets(
    runner: RuleRunner, programs: Path
) -> None:
    add_components(programs)
    result = _lint(runner)
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [
            "clippy --quiet --offline --all-targets --no-deps --package sdk -- -D warnings",
            "./Cargo.toml",
            "./clippy.toml",
            "./sdk/Cargo.toml",
            "./sdk/src/lib.rs",
            "./sdk/src/wire.rs",
        ],
    )


def test_arguments_of_clippy_are_an_option(runner: RuleRunner, programs: Path) -> None:
    add_components(programs)
    _set_options(runner, programs, "--clippy-args=['-W', 'clippy::pedantic']")
    assert _lint(runner).stdout.splitlines()[0].endswith("--package sdk -- -W clippy::pedantic")


def test_what_clippy_finds_fails_the_linter(runner: RuleRunner, programs: Path) -> None:
    add_components(programs)
    runner.write_files({"guests/sdk/src/wire.rs": "fn needless();\n"})
    assert _lint(runner).exit_code == 101


def test_each_linter_can_be_skipped_for_a_crate_and_for_all(runner: RuleRunner, programs: Path) -> None:
    assert ClippyFieldSet.is_applicable(runner.get_target(_SDK))
    assert not ClippyFieldSet.is_applicable(runner.get_target(_OLD))
    runner.write_files({"guests/sdk/BUILD": "rust_crate(skip_rustfmt=True)"})
    assert list(_partitions(runner)) == ["edition 2015"]
    _set_options(runner, programs, "--rustfmt-skip")
    assert _partitions(runner) == {}


@pytest.mark.parametrize(
    ("component", "remedies"),
    [
        (Component.CLIPPY, ["`rustup component add clippy`", "`apt-get install rust-web-clippy`", "[clippy] skip"]),
        (Component.RUSTFMT, ["`rustup component add rustfmt`", "`apt-get install rustfmt-web`", "[rustfmt] skip"]),
    ],
)
def test_toolchain_without_a_part_is_told_with_its_remedies(
    runner: RuleRunner, programs: Path, component: Component, remedies: list[str]
) -> None:
    with pytest.raises(ExecutionError) as raised:
        runner.request(FoundComponent, [ComponentRequest(component)])
    message = str(raised.value)
    assert f"rustc 1.90.0 at {programs}/rustc has no {component.value} beside it" in message
    assert [remedy for remedy in remedies if remedy not in message] == []


def test_version_of_a_part_is_told(runner: RuleRunner, programs: Path) -> None:
    add_components(programs, version="0.1.95")
    found = runner.request(FoundComponent, [ComponentRequest(Component.CLIPPY)])
    assert found == FoundComponent(f"{programs}/clippy-driver", "clippy 0.1.95")
