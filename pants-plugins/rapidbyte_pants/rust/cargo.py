"""Runs Cargo in a sandbox: the crates it downloads, what it keeps between builds, and the flags of every compilation.

Cargo rebuilds whatever lies at a path it has not seen, and writes paths into what it compiles; rustc compiles only
what an edit changed where its flags are those of before. Sandboxes have a new path each time. So what is kept goes to
folders outside the sandbox, the inputs are copied to one that is always the same, and the flags that name it reach
rustc through a wrapper that Cargo only knows by its unchanging name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from pants.core.util_rules.system_binaries import BashBinary
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import CreateDigest, Digest, FileContent, MergeDigests
from pants.engine.process import Process, ProcessCacheScope, ProcessResult
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.subsystem import WASM_TARGET, RustSubsystem
from rapidbyte_pants.rust.toolchain import RustToolchain
from rapidbyte_pants.rust.workspace import AllCrates, CargoWorkspace

# What the process that downloads may take from the user's environment: how to reach the network.
_NETWORK_VARIABLES = (
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("CARGO_HTTP_PROXY", "CARGO_HTTP_CAINFO", "SSL_CERT_FILE", "SSL_CERT_DIR"),
)

SETUP = r"""
set -eu
sandbox=$PWD
CARGO_HOME=$(cd .cargo_home && pwd -P)
export CARGO_HOME HOME="$sandbox" PATH="$sandbox:$TOOLCHAIN_PATH"
"""

# Here the lock is held to the manifests: builds have it cut to their crates (see lock.py), and are offline.
_FETCH = (
    SETUP
    + r"""
cd "$WORKSPACE"
cargo fetch --quiet --locked --offline "$@" 2>/dev/null || cargo fetch --quiet --locked "$@"
"""
)

# The folder of the inputs is made anew for each build, so that it holds what this one declares and nothing else.
# Sources from the store may be older than what Cargo made of their last version, so they are touched. The lock is held
# until the caller has copied its result: another checkout may build the same crate in the same folder.
_RUN = (
    SETUP
    + r"""
inputs=$sandbox target=$sandbox/target
if [ -n "$KEPT" ] && command -v flock >/dev/null; then
  target=$(cd .cargo_target && pwd -P)/$KEPT
  inputs=$target.inputs
  exec 8>>"$target.lock"
  flock 8
  rm -rf "$inputs"
  mkdir "$inputs"
  cp -RP ./* "$inputs"
fi
{
  printf '#!%s\n' "$BASH"
  printf 'flags=(--remap-path-prefix=%q=/rapidbyte --remap-path-prefix=%q=/cargo)\n' "$inputs" "$CARGO_HOME"
  printf "INPUTS=%q\n" "$inputs"
  cat rustc_flags
  printf 'exec "$@" "${flags[@]}"\n'
} >rapidbyte-rustc
chmod +x rapidbyte-rustc
export RUSTC_WRAPPER=rapidbyte-rustc
cd "$inputs"
find . -type f -exec touch {} +
cd "$WORKSPACE"
"""
)


@dataclass(frozen=True)
class FetchedCrates:
    """Witness that the crates of the lock are in Cargo's folder, checked against the lock's hashes."""


@dataclass(frozen=True)
class CargoProcess:
    """A script to run where `cargo` compiles: in the workspace's folder, with `$target` as the target directory."""

    script: str
    arguments: tuple[str, ...]
    workspace_folder: str
    input_digest: Digest
    description: str
    output_directories: tuple[str, ...] = ()
    kept_as: str = ""
    rustc_flags: str = ""
    immutable_input_digests: FrozenDict[str, Digest] = field(default_factory=FrozenDict)
    cache_scope: ProcessCacheScope = ProcessCacheScope.SUCCESSFUL
    environment: FrozenDict[str, str] = field(default_factory=FrozenDict)


def toolchain_path(toolchain: RustToolchain) -> str:
    """Give the PATH on which the toolchain's programs come first, then the system's."""
    folders = (os.path.dirname(toolchain.cargo), os.path.dirname(toolchain.rustc), "/usr/bin", "/bin")
    return ":".join(dict.fromkeys(folders))


@rule(desc="Download the crates of Cargo.lock")
async def fetch_crates(
    workspace: CargoWorkspace, crates: AllCrates, toolchain: RustToolchain, bash: BashBinary
) -> FetchedCrates:
    # Cargo wants a source for every crate it knows of, and reads none: with empty ones, no edit fetches again.
    members = crates.by_package.values()
    files = [
        *workspace.cut_to(members),
        *(FileContent(os.path.join(crate.folder, "src", "lib.rs"), b"") for crate in members),
    ]
    stand_ins, network = await MultiGet(
        Get(Digest, CreateDigest(files)), Get(EnvironmentVars, EnvironmentVarsRequest(_NETWORK_VARIABLES))
    )
    await Get(
        ProcessResult,
        Process(
            [bash.path, "-c", _FETCH, "fetch", "--target", WASM_TARGET, "--target", toolchain.host],
            env={**network, "TOOLCHAIN_PATH": toolchain_path(toolchain), "WORKSPACE": workspace.folder},
            input_digest=await Get(Digest, MergeDigests([stand_ins, crates.manifests])),
            append_only_caches={"cargo_home": ".cargo_home"},
            description="Download the crates of Cargo.lock",
            # Its result is a folder outside the store, so a stored answer would prove nothing.
            cache_scope=ProcessCacheScope.PER_RESTART_SUCCESSFUL,
        ),
    )
    return FetchedCrates()


@rule(level=LogLevel.DEBUG)
async def cargo_process(
    request: CargoProcess, toolchain: RustToolchain, rust: RustSubsystem, bash: BashBinary, _: FetchedCrates
) -> Process:
    flags = await Get(Digest, CreateDigest([FileContent("rustc_flags", request.rustc_flags.encode())]))
    caches = {"cargo_home": ".cargo_home"}
    kept = ""
    if rust.keep_target_dir and request.kept_as:
        caches["cargo_target"] = ".cargo_target"
        kept = f"{request.kept_as}-{toolchain.identity}"
    return Process(
        [bash.path, "-c", _RUN + request.script, "cargo", *request.arguments],
        env={
            **request.environment,
            "TOOLCHAIN_PATH": toolchain_path(toolchain),
            "TOOLCHAIN": toolchain.identity,
            "WORKSPACE": request.workspace_folder,
            "KEPT": kept,
        },
        input_digest=await Get(Digest, MergeDigests([flags, request.input_digest])),
        immutable_input_digests=request.immutable_input_digests,
        append_only_caches=caches,
        output_directories=request.output_directories,
        description=request.description,
        cache_scope=request.cache_scope,
    )


def rules() -> Iterable[Rule]:
    return collect_rules()
