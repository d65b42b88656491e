"""Tests what a connector is built from, and what depends on it gets: with a toolchain that only looks like one."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pants.core.goals.package import BuiltPackage
from pants.core.goals.test import TestResult, get_filtered_environment
from pants.core.target_types import ResourceSourceField
from pants.core.util_rules import system_binaries
from pants.engine.addresses import Address, Addresses
from pants.engine.fs import DigestContents
from pants.engine.target import (
    Dependencies,
    DependenciesRequest,
    HydratedSources,
    HydrateSourcesRequest,
    SourcesField,
)
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.rust import register
from rapidbyte_pants.rust.crate_tests import CrateTestFieldSet, CrateTestRequest
from rapidbyte_pants.rust.tests.fake_toolchain import write_toolchain
from rapidbyte_pants.rust.wasm_resource import WasmPackageFieldSet

_CRATE = '[package]\nname = "{name}"\nversion = "0.1.0"\n[dependencies]\n{dependencies}\n'
_LOCK = """
version = 4
[[package]]
name = "dest"
version = "0.1.0"
dependencies = ["sdk"]
[[package]]
name = "sdk"
version = "0.1.0"
[[package]]
name = "source"
version = "0.1.0"
dependencies = ["sdk"]
"""
_DEST = Address("connectors/dest")


def _files() -> dict[str, str]:
    files = {
        "connectors/BUILD": "cargo_workspace(name='workspace')",
        "connectors/Cargo.toml": '[workspace]\nmembers = ["dest", "sdk", "source"]\n',
        "connectors/Cargo.lock": _LOCK,
    }
    for name, kind, dependencies in (
        ("sdk", "rust_crate()", ""),
        ("dest", "wasm_connector(resource_dir='src/app')", 'sdk = { path = "../sdk" }'),
        ("source", "wasm_connector(resource_dir='src/app')", 'sdk = { path = "../sdk" }'),
    ):
        files[f"connectors/{name}/BUILD"] = kind
        files[f"connectors/{name}/Cargo.toml"] = _CRATE.format(name=name, dependencies=dependencies)
        files[f"connectors/{name}/src/lib.rs"] = f"// {name}\n"
        files[f"connectors/{name}/README.md"] = "not compiled\n"
    return files


@pytest.fixture
def runner(tmp_path: Path) -> RuleRunner:
    runner = RuleRunner(
        bootstrap_args=[f"--named-caches-dir={tmp_path / 'caches'}"],
        rules=[
            *register.rules(),
            *system_binaries.rules(),
            get_filtered_environment,
            QueryRule(Addresses, [DependenciesRequest]),
            QueryRule(HydratedSources, [HydrateSourcesRequest]),
            QueryRule(BuiltPackage, [WasmPackageFieldSet]),
            QueryRule(TestResult, [CrateTestRequest.Batch]),
        ],
        target_types=register.target_types(),
    )
    runner.write_files(_files())
    _use(runner, write_toolchain(tmp_path / "toolchain"))
    return runner


def _use(runner: RuleRunner, folder: Path, *options: str) -> None:
    runner.set_options([f"--rust-search-path=['{folder}']", *options], env_inherit={"PATH"})


def _resource(runner: RuleRunner, address: Address = _DEST) -> tuple[str, str]:
    request = HydrateSourcesRequest(
        runner.get_target(address)[SourcesField], for_sources_types=(ResourceSourceField,), enable_codegen=True
    )
    sources = runner.request(HydratedSources, [request])
    (file,) = runner.request(DigestContents, [sources.snapshot.digest])
    return file.path, file.content.decode()


def _places(folder: Path) -> list[Path]:
    return list((folder / "caches" / "cargo_target").glob("*/places"))


def test_crate_depends_on_the_workspace_and_on_the_crates_its_manifest_names(runner: RuleRunner) -> None:
    request = DependenciesRequest(runner.get_target(_DEST)[Dependencies])
    assert list(runner.request(Addresses, [request])) == [
        Address("connectors", target_name="workspace"),
        Address("connectors/sdk"),
    ]


def test_connector_is_a_resource_built_from_its_own_crates_alone(runner: RuleRunner) -> None:
    path, seen = _resource(runner)
    assert path == "src/app/dest.wasm"
    assert seen.splitlines() == [
        "quick",
        "./Cargo.lock",
        "./Cargo.toml",
        "./dest/Cargo.toml",
        "./dest/src/lib.rs",
        "./sdk/Cargo.toml",
        "./sdk/src/lib.rs",
    ]


def test_kept_results_are_used_at_one_place_which_holds_the_inputs_of_this_build_alone(
    runner: RuleRunner, tmp_path: Path
) -> None:
    runner.write_files({"connectors/dest/src/old.rs": "// removed later\n"})
    assert "./dest/src/old.rs" in _resource(runner)[1].splitlines()
    (Path(runner.build_root) / "connectors/dest/src/old.rs").unlink()
    runner.write_files({"connectors/dest/src/new.rs": "// written later\n"})
    assert {line for line in _resource(runner)[1].splitlines() if line.startswith("./dest/src/")} == {
        "./dest/src/lib.rs",
        "./dest/src/new.rs",
    }
    (places,) = _places(tmp_path)
    first, second = places.read_text().splitlines()
    assert first == second


def test_connector_with_a_build_folder_of_its_own_shares_none(runner: RuleRunner, tmp_path: Path) -> None:
    source = Address("connectors/source")
    _resource(runner)
    _resource(runner, source)
    (shared,) = _places(tmp_path)
    runner.write_files({"connectors/source/BUILD": "wasm_connector(resource_dir='src/app', own_build_folder=True)"})
    runner.write_files({"connectors/source/src/lib.rs": "// edited\n"})
    _resource(runner, source)
    (own,) = set(_places(tmp_path)) - {shared}
    assert [len(places.read_text().splitlines()) for places in (shared, own)] == [2, 1]
    assert "-source-" in own.parent.name


def test_release_profile_is_asked_for_by_option(runner: RuleRunner, tmp_path: Path) -> None:
    _use(runner, tmp_path / "toolchain" / "bin", "--rust-wasm-profile=release")
    assert _resource(runner)[1].splitlines()[0] == "release"


def test_package_writes_the_module_under_the_name_of_its_target(runner: RuleRunner) -> None:
    built = runner.request(BuiltPackage, [WasmPackageFieldSet.create(runner.get_target(_DEST))])
    assert [artifact.relpath for artifact in built.artifacts] == ["connectors.dest/dest.wasm"]
    assert [file.path for file in runner.request(DigestContents, [built.digest])] == ["connectors.dest/dest.wasm"]


def test_tests_of_a_crate_are_run_and_reported(runner: RuleRunner) -> None:
    field_set = CrateTestFieldSet.create(runner.get_target(Address("connectors/sdk")))
    batch: Any = CrateTestRequest.Batch("rust", (field_set,), None)
    result = runner.request(TestResult, [batch])
    assert result.exit_code == 0
    assert result.xml_results is not None
    (report,) = runner.request(DigestContents, [result.xml_results.digest])
    assert report.path == "connectors.sdk.xml"
    suite = ElementTree.fromstring(report.content)
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", "1")


def test_tests_of_a_crate_get_the_variables_that_all_tests_get(runner: RuleRunner, tmp_path: Path) -> None:
    _use(runner, tmp_path / "toolchain" / "bin", "--test-extra-env-vars=['PROFILE=_nightly']")
    field_set = CrateTestFieldSet.create(runner.get_target(Address("connectors/sdk")))
    batch: Any = CrateTestRequest.Batch("rust", (field_set,), None)
    result = runner.request(TestResult, [batch])
    assert "a::works_nightly ... ok" in result.stdout


def test_published_modules_lie_beside_their_target_and_have_its_profile(runner: RuleRunner) -> None:
    runner.write_files(
        {"src/app/wasm/BUILD": "wasm_modules(name='it', connectors=['connectors/dest', 'connectors/source'])"}
    )
    request = HydrateSourcesRequest(
        runner.get_target(Address("src/app/wasm", target_name="it"))[SourcesField],
        for_sources_types=(ResourceSourceField,),
        enable_codegen=True,
    )
    sources = runner.request(HydratedSources, [request])
    files = runner.request(DigestContents, [sources.snapshot.digest])
    assert [(file.path, file.content.decode().splitlines()[0]) for file in files] == [
        ("src/app/wasm/dest.wasm", "release"),
        ("src/app/wasm/source.wasm", "release"),
    ]
