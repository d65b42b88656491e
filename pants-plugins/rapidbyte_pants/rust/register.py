"""What the Rust backend adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from rapidbyte_pants.rust import (
    cargo,
    clippy,
    components,
    crate_tests,
    dependency_inference,
    named_dependencies,
    rustfmt,
    tailor,
    toolchain,
    wasm_module,
    wasm_resource,
    wasm_std,
    workspace,
)
from rapidbyte_pants.rust.target_types import (
    CargoWorkspaceTarget,
    RustCrateTarget,
    WasmConnectorTarget,
    WasmModulesTarget,
)


def target_types() -> Iterable[type[Target]]:
    return (CargoWorkspaceTarget, RustCrateTarget, WasmConnectorTarget, WasmModulesTarget)


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *toolchain.rules(),
        *workspace.rules(),
        *cargo.rules(),
        *wasm_std.rules(),
        *wasm_module.rules(),
        *wasm_resource.rules(),
        *crate_tests.rules(),
        *components.rules(),
        *rustfmt.rules(),
        *clippy.rules(),
        *named_dependencies.rules(),
        *dependency_inference.rules(),
        *tailor.rules(),
    )
