"""The options of the Rust backend."""

from __future__ import annotations

from pants.option.option_types import BoolOption, SkipOption, StrListOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap

WASM_TARGET = "wasm32-wasip1"


class RustSubsystem(Subsystem):
    options_scope = "rust"
    name = "Rust"
    help = "The Rust toolchain that compiles connectors to WebAssembly and runs the crates' own tests."

    search_path = StrListOption(
        default=["<PATH>", "/usr/bin"],
        help=softwrap(
            """
            The folders to look for `cargo` and `rustc` in; `<PATH>` stands for the folders of `$PATH`. The first
            toolchain that ships the standard library of the WebAssembly target is taken, or else the first that has
            the sources to build it from.
            """
        ),
    )
    wasi_libc = StrOption(
        default="/usr/lib/wasm32-wasi",
        help="The folder of the WASI C library, for toolchains that do not ship the WebAssembly target.",
    )
    wasm_profile = StrOption(
        default="quick",
        help=softwrap(
            """
            The Cargo profile that connectors are compiled with: `quick` for a fast rebuild, `release` for what is
            measured or published.
            """
        ),
    )
    keep_target_dir = BoolOption(
        default=True,
        help=softwrap(
            """
            Keep Cargo's intermediate results between builds, so that an edit recompiles only the workspace's own
            crates. Switch it off to prove that a build needs nothing but its declared inputs.
            """
        ),
    )
    tailor = BoolOption(
        default=True,
        help=softwrap(
            """
            Let `tailor` propose targets: `wasm_connector` for a crate whose library is a `cdylib`, `rust_crate` for any
            other, `cargo_workspace` for the manifest of a workspace.
            """
        ),
    )
    skip = SkipOption("test")
