"""Tests which dependencies of a manifest count as used."""

from __future__ import annotations

from typing import Any

from pants.core.goals.lint import LintResult
from pants.core.util_rules import source_files
from pants.engine.addresses import Address
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.rust import named_dependencies
from rapidbyte_pants.rust.named_dependencies import CargoDependenciesFieldSet, CargoDependenciesRequest, unnamed
from rapidbyte_pants.rust.target_types import RustCrateTarget

_MANIFEST = """
[package]
name = "a"
[dependencies]
arrow-array.workspace = true
wire = { path = "../pgwire", package = "pgwire" }
bytes = "1"
[dev-dependencies]
proptest = "1"
[build-dependencies]
cc = "1"
[target.'cfg(unix)'.dependencies]
libc = "0.2"
"""


def test_name_in_code_counts_and_one_in_a_comment_or_another_word_does_not() -> None:
    files = {
        "a/Cargo.toml": _MANIFEST,
        "a/build.rs": "use libc as _; fn main() { cc::Build::new(); }",
        "a/src/lib.rs": "use arrow_array::Array; // bytes::Bytes\n/* bytes\n */ fn bytes_of(wireless: u8) {}",
        "a/tests/all.rs": "proptest::proptest! {}",
    }
    assert unnamed("a/Cargo.toml", files) == (
        "a/Cargo.toml: no code names `wire` of [dependencies].",
        "a/Cargo.toml: no code names `bytes` of [dependencies].",
        "a/Cargo.toml: no code names `libc` of [dependencies].",
    )


def test_crate_with_an_unused_dependency_fails_the_linter() -> None:
    runner = RuleRunner(
        rules=[
            *named_dependencies.rules(),
            *source_files.rules(),
            QueryRule(LintResult, [CargoDependenciesRequest.Batch]),
        ],
        target_types=[RustCrateTarget],
    )
    manifest = '[package]\nname = "{0}"\n[dependencies]\nserde = "1"\n'
    for name, code in (("used", "use serde::Serialize;"), ("unused", "")):
        runner.write_files(
            {
                f"{name}/BUILD": "rust_crate()",
                f"{name}/Cargo.toml": manifest.format(name),
                f"{name}/src/lib.rs": code,
            }
        )

    def lint(*names: str) -> tuple[int, list[str]]:
        field_sets = tuple(CargoDependenciesFieldSet.create(runner.get_target(Address(name))) for name in names)
        batch: Any = CargoDependenciesRequest.Batch("cargo-dependencies", field_sets, None)
        result = runner.request(LintResult, [batch])
        return result.exit_code, result.stdout.splitlines()[:-1]

    assert lint("used") == (0, [])
    assert lint("used", "unused") == (1, ["unused/Cargo.toml: no code names `serde` of [dependencies]."])
