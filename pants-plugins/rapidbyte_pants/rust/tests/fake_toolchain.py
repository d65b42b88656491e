"""A Rust toolchain of shell scripts: it compiles nothing, and tells what it was asked and what it could see."""

from __future__ import annotations

from pathlib import Path

_RUSTC = """#!/bin/sh
case "$*" in
  "--print sysroot") echo {sysroot} ;;
  -vV) printf 'rustc {version}\\nbinary: rustc\\nhost: x86_64-unknown-linux-gnu\\nrelease: {version}\\n' ;;
esac
"""

# `build` writes the files it sees as the module; `test` reports one test that passes and one that is left out.
_CARGO = """#!/bin/bash
case $1 in
  -V) echo 'cargo {version}' ;;
  fetch) ;;
  build)
    while [ $# -gt 0 ]; do
      case $1 in
        --package) package=$2 ;;
        --profile) profile=$2 ;;
        --target) triple=$2 ;;
        --target-dir) target=$2 ;;
      esac
      shift
    done
    mkdir -p "$target/$triple/$profile"
    (echo "$profile"; find . -type f | sort) >"$target/$triple/$profile/$package.wasm"
    ;;
  test)
    case "$*" in *--no-run*) exit 0 ;; esac
    printf 'running 2 tests\\ntest a::works ... ok\\ntest a::slow ... ignored\\n'
    ;;
esac
"""


def write_toolchain(root: Path, *, version: str = "1.90.0", ships_wasm: bool = True) -> Path:
    """Write the toolchain below `root` and give the folder of its programs."""
    programs = root / "bin"
    programs.mkdir(parents=True)
    libraries = root / "lib" / "rustlib" / "wasm32-wasip1" / "lib"
    if ships_wasm:
        libraries.mkdir(parents=True)
        (libraries / "libstd-0123456789abcdef.rlib").write_bytes(b"")
    for name, text in (("rustc", _RUSTC), ("cargo", _CARGO)):
        program = programs / name
        program.write_text(text.replace("{sysroot}", str(root)).replace("{version}", version))
        program.chmod(0o755)
    return programs
