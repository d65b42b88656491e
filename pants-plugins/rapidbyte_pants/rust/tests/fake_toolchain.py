"""A Rust toolchain of shell scripts: it compiles nothing, and tells what it was asked and what it could see."""

from __future__ import annotations

from pathlib import Path

_RUSTC = """#!/bin/sh
case "$*" in
  "--print sysroot") echo {sysroot} ;;
  -vV) printf 'rustc {version}\\nbinary: rustc\\nhost: x86_64-unknown-linux-gnu\\nrelease: {version}\\n' ;;
esac
"""

# `build` writes the files it sees as the module, and adds where it sees them to the file `places` of the target
# directory; `test` reports one test that passes, whose name ends with $PROFILE, and one that is left out; `clippy`
# prints its arguments and the files it sees, and finds fault with the word "needless".
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
    pwd -P >>"$target/places"
    (echo "$profile"; find . -type f | sort) >"$target/$triple/$profile/$package.wasm"
    ;;
  test)
    case "$*" in *--no-run*) exit 0 ;; esac
    printf 'running 2 tests\\ntest a::works%s ... ok\\ntest a::slow ... ignored\\n' "${PROFILE:-}"
    ;;
  clippy)
    printf '%s\\n' "$*" | sed 's/ --target-dir [^ ]*//'
    find . -name '*.toml' -o -name '*.rs' | sort
    ! grep -rq --include=*.rs needless . || exit 101
    ;;
esac
"""

# Makes each tab four blanks, refuses what has a lone brace, and tells the edition and the width it is configured to.
_RUSTFMT = """#!/bin/bash
[ "$1" = --version ] && { echo 'rustfmt {version}'; exit; }
width=$(cat rustfmt.toml ../rustfmt.toml ../../rustfmt.toml 2>/dev/null | head -n 1)
code=$(sed '/^\\/\\/ formatted/d; s/\t/    /g')
case $code in *"{"*) echo 'error: <stdin>: unclosed delimiter' >&2; exit 1 ;; esac
printf '// formatted: %s %s\\n%s\\n' "$2" "$width" "$code"
"""

_CLIPPY = """#!/bin/sh
echo 'clippy {version}'
"""


def add_components(programs: Path, *, version: str = "1.90.0") -> None:
    """Write clippy and rustfmt beside the toolchain's programs."""
    for name, text in (("rustfmt", _RUSTFMT), ("clippy-driver", _CLIPPY), ("cargo-clippy", _CLIPPY)):
        _write_program(programs / name, text.replace("{version}", version))


def _write_program(program: Path, text: str) -> None:
    program.write_text(text)
    program.chmod(0o755)


def write_toolchain(root: Path, *, version: str = "1.90.0", ships_wasm: bool = True) -> Path:
    """Write the toolchain below `root` and give the folder of its programs."""
    programs = root / "bin"
    programs.mkdir(parents=True)
    libraries = root / "lib" / "rustlib" / "wasm32-wasip1" / "lib"
    if ships_wasm:
        libraries.mkdir(parents=True)
        (libraries / "libstd-0123456789abcdef.rlib").write_bytes(b"")
    for name, text in (("rustc", _RUSTC), ("cargo", _CARGO)):
        _write_program(programs / name, text.replace("{sysroot}", str(root)).replace("{version}", version))
    return programs
