"""The standard library for WebAssembly, built from its sources where the toolchain does not ship it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.util_rules.system_binaries import BashBinary
from pants.engine.fs import EMPTY_DIGEST, CreateDigest, Digest, FileContent
from pants.engine.process import Process, ProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule

from rapidbyte_pants.rust.cargo import SETUP, toolchain_path
from rapidbyte_pants.rust.subsystem import WASM_TARGET, RustSubsystem
from rapidbyte_pants.rust.toolchain import RustToolchain, WasmSupport

_PROBE_MANIFEST = b"""[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[profile.release]
opt-level = 3
"""

# The paths of the sources and of the crates they use end up in the messages of panics: they are made the same for all.
_BUILD = (
    SETUP
    + r"""
target=$1 sysroot=$2 libc=$3
export RUSTC_BOOTSTRAP=1
flags=(-L "$libc" -Zlocation-detail=none -Ctarget-feature=+simd128,+bulk-memory)
flags+=("--remap-path-prefix=$sysroot/lib/rustlib/src/rust=/rustc" "--remap-path-prefix=$CARGO_HOME=/cargo")
flags+=("--remap-path-prefix=$sandbox=/rapidbyte")
CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; printf '%s' "${flags[*]}")
export CARGO_ENCODED_RUSTFLAGS
cargo build --quiet --release --manifest-path probe/Cargo.toml -Zbuild-std=std,panic_abort --target "$target" \
  --target-dir target
libraries=std/lib/rustlib/$target/lib
mkdir -p "$libraries"
cp "target/$target/release/deps/"*.rlib "$libraries"
rm -f "$libraries"/libprobe-*
"""
)


@dataclass(frozen=True)
class WasmStandardLibrary:
    """A sysroot's content in the folder `std`, or nothing where the toolchain's own is to be used."""

    digest: Digest

    @property
    def is_shipped(self) -> bool:
        """Tell whether the toolchain brings the library itself."""
        return self.digest == EMPTY_DIGEST


@rule(desc="Build the standard library for WebAssembly")
async def build_standard_library(
    toolchain: RustToolchain, rust: RustSubsystem, bash: BashBinary
) -> WasmStandardLibrary:
    if toolchain.wasm is WasmSupport.SHIPPED:
        return WasmStandardLibrary(EMPTY_DIGEST)
    probe = await Get(
        Digest,
        CreateDigest([FileContent("probe/Cargo.toml", _PROBE_MANIFEST), FileContent("probe/src/lib.rs", b"")]),
    )
    result = await Get(
        ProcessResult,
        Process(
            [bash.path, "-c", _BUILD, "std", WASM_TARGET, toolchain.sysroot, rust.wasi_libc],
            env={"TOOLCHAIN_PATH": toolchain_path(toolchain), "TOOLCHAIN": toolchain.identity},
            input_digest=probe,
            append_only_caches={"cargo_home": ".cargo_home"},
            output_directories=["std"],
            description=f"Build the standard library for {WASM_TARGET} ({toolchain.version})",
        ),
    )
    return WasmStandardLibrary(result.output_digest)


def rules() -> Iterable[Rule]:
    return collect_rules()
