"""Compiles a connector's crate to a WebAssembly module."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.engine.addresses import Address
from pants.engine.fs import Digest, RemovePrefix
from pants.engine.process import Process, ProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.cargo import CargoProcess
from rapidbyte_pants.rust.subsystem import WASM_TARGET, RustSubsystem
from rapidbyte_pants.rust.toolchain import RustToolchain
from rapidbyte_pants.rust.wasm_std import WasmStandardLibrary
from rapidbyte_pants.rust.workspace import CrateInputs, CrateInputsRequest

_SYSROOT = "wasm_sysroot"

# Lines of the rustc wrapper, for compilations to WebAssembly alone: build scripts and macros run on this machine.
# - Without the start-up object, a module runs its constructors at every call instead of once in `_initialize`.
# - Without the lines of source code in panics, a comment that moves code leaves the module as it was.
_FLAGS = """
case " $* " in
  *" --target {target} "*)
    export RUSTC_BOOTSTRAP=1
    flags+=(-Zlocation-detail=none -Ctarget-feature=+simd128,+bulk-memory)
    flags+=(-Clink-arg={startup} -Clink-arg=--export=_initialize)
    {sysroot}
    ;;
esac
"""

_COMPILE = r"""
package=$1 profile=$2 triple=$3
cargo build --quiet --offline --lib --package "$package" --profile "$profile" --target "$triple" \
  --target-dir "$target"
mkdir -p "$sandbox/out"
cp "$target/$triple/$profile/$package.wasm" "$sandbox/out/"
"""


@dataclass(frozen=True)
class WasmModuleRequest:
    """The address of a `wasm_connector`; `profile` None is the one of the options."""

    address: Address
    profile: str | None = None


@dataclass(frozen=True)
class WasmModule:
    """A digest with the module alone, at `file`."""

    digest: Digest
    file: str


def rustc_flags(toolchain: RustToolchain, standard_library: WasmStandardLibrary, wasi_libc: str) -> str:
    """Give the lines that the rustc wrapper runs before it calls rustc."""
    sysroot = ":" if standard_library.is_shipped else f'flags+=(-L {wasi_libc} "--sysroot=$INPUTS/{_SYSROOT}/std")'
    return _FLAGS.format(target=WASM_TARGET, startup=toolchain.startup_object, sysroot=sysroot)


@rule(desc="Compile a connector to WebAssembly", level=LogLevel.DEBUG)
async def compile_module(
    request: WasmModuleRequest,
    toolchain: RustToolchain,
    standard_library: WasmStandardLibrary,
    rust: RustSubsystem,
) -> WasmModule:
    inputs = await Get(CrateInputs, CrateInputsRequest(request.address))
    immutable = {} if standard_library.is_shipped else {_SYSROOT: standard_library.digest}
    profile = request.profile or rust.wasm_profile
    # What was compiled against one standard library cannot be used with another.
    library = "shipped" if standard_library.is_shipped else standard_library.digest.fingerprint[:16]
    process = await Get(
        Process,
        CargoProcess(
            script=_COMPILE,
            arguments=(inputs.package, profile, WASM_TARGET),
            workspace_folder=inputs.workspace_folder,
            input_digest=inputs.digest,
            description=f"Compile {inputs.package} to WebAssembly ({profile})",
            output_directories=("out",),
            kept_as=inputs.kept_as(f"wasm-{profile}-{library}"),
            rustc_flags=rustc_flags(toolchain, standard_library, rust.wasi_libc),
            immutable_input_digests=FrozenDict(immutable),
        ),
    )
    result = await Get(ProcessResult, Process, process)
    return WasmModule(await Get(Digest, RemovePrefix(result.output_digest, "out")), f"{inputs.package}.wasm")


def rules() -> Iterable[Rule]:
    return collect_rules()
