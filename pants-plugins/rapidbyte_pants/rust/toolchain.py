"""Finds the Rust toolchain: a Cargo and a rustc that run, and how they come by the WebAssembly target."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from pants.core.util_rules.system_binaries import BashBinary
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.process import Process, ProcessCacheScope, ProcessResult
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.subsystem import WASM_TARGET, RustSubsystem


class ToolchainError(ValueError):
    """No toolchain that can compile connectors was found."""


class WasmSupport(Enum):
    """Where a toolchain's standard library for WebAssembly comes from."""

    SHIPPED = "shipped"
    SOURCES = "sources"
    NONE = "none"


@dataclass(frozen=True)
class RustToolchain:
    """One toolchain. `identity` stands for everything about it that can change what it compiles."""

    cargo: str
    rustc: str
    sysroot: str
    host: str
    wasm: WasmSupport
    startup_object: str
    version: str
    identity: str


# Runs as bash -c with the folders as arguments. For each folder with a toolchain that works, it prints a record. What
# rustup puts on PATH are proxies, which fail without their owner's HOME: so the record names the real programs.
_PROBE = r"""
target=$1 libc=$2
shift 2
for folder in "$@"; do
  [ -x "$folder/cargo" ] && [ -x "$folder/rustc" ] || continue
  cargo=$folder/cargo rustc=$folder/rustc
  sysroot=$("$rustc" --print sysroot 2>/dev/null) || continue
  [ -x "$sysroot/bin/rustc" ] && rustc=$sysroot/bin/rustc
  [ -x "$sysroot/bin/cargo" ] && cargo=$sysroot/bin/cargo
  about=$("$rustc" -vV 2>/dev/null) && builder=$("$cargo" -V 2>/dev/null) || continue
  shipped=$sysroot/lib/rustlib/$target/lib
  wasm=none startup=
  if ls "$shipped"/libstd-*.rlib >/dev/null 2>&1; then
    wasm=shipped startup=$shipped/self-contained/crt1-reactor.o
  elif [ -e "$sysroot/lib/rustlib/src/rust/library/std/Cargo.toml" ] && [ -e "$libc/crt1-reactor.o" ]; then
    wasm=sources startup=$libc/crt1-reactor.o
  fi
  printf 'toolchain\ncargo\t%s\nrustc\t%s\nsysroot\t%s\nwasm\t%s\nstartup\t%s\n' \
    "$cargo" "$rustc" "$sysroot" "$wasm" "$startup"
  printf 'about\t%s\n' "$builder"
  printf '%s\n' "$about" | while IFS= read -r line; do printf 'about\t%s\n' "$line"; done
  case $wasm in
    # The names of the libraries hold the compiler's hashes of them.
    shipped) for file in "$shipped"/*.rlib; do printf 'about\t%s\n' "${file##*/}"; done ;;
    sources)
      cksum "$libc"/*.o "$libc"/*.a | while IFS= read -r line; do printf 'about\t%s\n' "$line"; done
      for linker in rust-lld wasm-ld-22 wasm-ld; do
        if path=$(command -v "$linker"); then
          printf 'about\t%s\n' "$(exec -a wasm-ld "$path" --version 2>&1)"
          break
        fi
      done ;;
  esac
done
"""


def parse_probe(output: str) -> tuple[RustToolchain, ...]:
    """Read the records that the probe printed: each begins with a line that is no pair of key and value."""
    records: list[list[tuple[str, str]]] = []
    for line in output.splitlines():
        key, tab, value = line.partition("\t")
        if tab:
            records[-1].append((key, value))
        else:
            records.append([])
    return tuple(_toolchain(record) for record in records)


def _toolchain(record: list[tuple[str, str]]) -> RustToolchain:
    facts = dict(record)
    about = [value for key, value in record if key == "about"]
    return RustToolchain(
        cargo=facts["cargo"],
        rustc=facts["rustc"],
        sysroot=facts["sysroot"],
        host=next(line[len("host: ") :] for line in about if line.startswith("host: ")),
        wasm=WasmSupport(facts["wasm"]),
        startup_object=facts["startup"],
        version=about[1],
        identity=hashlib.sha256("\n".join(about).encode()).hexdigest()[:16],
    )


def choose_toolchain(found: tuple[RustToolchain, ...], folders: tuple[str, ...]) -> RustToolchain:
    """Prefer the target as it is shipped, then one that can be built. Raises ToolchainError."""
    for support in (WasmSupport.SHIPPED, WasmSupport.SOURCES):
        for toolchain in found:
            if toolchain.wasm is support:
                return toolchain
    if found:
        raise ToolchainError(
            f"{found[0].version} at {found[0].rustc} cannot compile for {WASM_TARGET}. Add the target with "
            f"`rustup target add {WASM_TARGET}`, or start Pants by `./pants`, which says what this machine needs."
        )
    raise ToolchainError(
        f"No Rust was found in {', '.join(folders)}. Install it with rustup and run `rustup target add {WASM_TARGET}`, "
        "or start Pants by `./pants`, which says what this machine needs."
    )


@rule(desc="Find the Rust toolchain", level=LogLevel.DEBUG)
async def find_toolchain(rust: RustSubsystem, bash: BashBinary) -> RustToolchain:
    environment = await Get(
        EnvironmentVars, EnvironmentVarsRequest(["PATH", "HOME", "RUSTUP_HOME", "CARGO_HOME", "RUSTUP_TOOLCHAIN"])
    )
    path = tuple(folder for folder in environment.get("PATH", "").split(":") if folder)
    folders: dict[str, None] = {}
    for entry in rust.search_path:
        folders.update(dict.fromkeys(path if entry == "<PATH>" else (entry,)))
    result = await Get(
        ProcessResult,
        Process(
            [bash.path, "-c", _PROBE, "probe", WASM_TARGET, rust.wasi_libc, *folders],
            env={**environment, "PATH": ":".join((*folders, "/usr/bin", "/bin"))},
            description="Find the Rust toolchain",
            level=LogLevel.DEBUG,
            # It looks at the machine, which is no input of it: another run has to look again.
            cache_scope=ProcessCacheScope.PER_SESSION,
        ),
    )
    return choose_toolchain(parse_probe(result.stdout.decode()), tuple(folders))


def rules() -> Iterable[Rule]:
    return collect_rules()
