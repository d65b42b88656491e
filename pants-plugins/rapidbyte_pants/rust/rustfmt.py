"""Runs rustfmt on the crates' code, as a part of the goals `fmt` and `lint`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.fmt import FmtResult, FmtTargetsRequest
from pants.core.util_rules import config_files
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.core.util_rules.partitions import Partition, Partitions
from pants.core.util_rules.system_binaries import BashBinary
from pants.engine.fs import Digest, MergeDigests
from pants.engine.process import Process, ProcessResult
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import FieldSet, SourcesPaths, SourcesPathsRequest, Target
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import help_text, pluralize

from rapidbyte_pants.rust.components import Component, ComponentRequest, FoundComponent
from rapidbyte_pants.rust.target_types import CrateSourcesField, SkipRustfmtField
from rapidbyte_pants.rust.workspace import AllCrates, CargoWorkspace

# By standard input, since rustfmt follows the modules that a file declares, and these may be of another batch. It looks
# for its configuration from the folder that it runs in upwards, so that is the file's.
_FORMAT = r"""
set -u
export HOME="$PWD"
rustfmt=$1 edition=$2 status=0
shift 2
for file in "$@"; do
  if (cd "$(dirname "$file")" && "$rustfmt" --edition "$edition") <"$file" >formatted; then
    cat formatted >"$file"
  else
    printf 'rustfmt cannot read %s: see above, where it is <stdin>.\n' "$file" >&2
    status=1
  fi
done
exit "$status"
"""


class Rustfmt(Subsystem):
    options_scope = "rustfmt"
    name = "rustfmt"
    help = help_text(
        """
        The formatter of Rust code. It comes with the toolchain that is found by `[rust].search_path`, formats for the
        edition that a crate's manifest names, and obeys the `rustfmt.toml` beside a file or above it.
        """
    )

    skip = SkipOption("fmt", "lint")


@dataclass(frozen=True)
class RustfmtFieldSet(FieldSet):
    required_fields = (CrateSourcesField,)

    sources: CrateSourcesField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return bool(tgt.get(SkipRustfmtField).value)


class RustfmtRequest(FmtTargetsRequest):
    field_set_type = RustfmtFieldSet
    tool_subsystem = Rustfmt  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.


@dataclass(frozen=True)
class Edition:
    """What the files of one partition have in common."""

    edition: str

    @property
    def description(self) -> str:
        return f"edition {self.edition}"


@rule(level=LogLevel.DEBUG)
async def partition_by_edition(
    request: RustfmtRequest.PartitionRequest[RustfmtFieldSet],
    rustfmt: Rustfmt,
    crates: AllCrates,
    workspace: CargoWorkspace,
) -> Partitions[str, Edition]:
    if rustfmt.skip:
        return Partitions()
    all_paths = await MultiGet(
        Get(SourcesPaths, SourcesPathsRequest(field_set.sources)) for field_set in request.field_sets
    )
    files: dict[str, list[str]] = {}
    for field_set, paths in zip(request.field_sets, all_paths):
        edition = workspace.edition_of(crates.at(field_set.address))
        files.setdefault(edition, []).extend(path for path in paths.files if path.endswith(".rs"))
    return Partitions(
        Partition(tuple(sorted(paths)), Edition(edition)) for edition, paths in sorted(files.items()) if paths
    )


def config_request(folders: Iterable[str], *names: str) -> ConfigFilesRequest:
    """Ask for the configuration files that a tool would look for in these folders and above them."""
    searched: dict[str, None] = {}
    for folder in folders:
        while folder:
            searched[folder] = None
            folder = os.path.dirname(folder)
    candidates = [os.path.join(folder, name) for folder in ("", *searched) for name in names]
    return ConfigFilesRequest(discovery=True, check_existence=candidates)


@rule(desc="Format with rustfmt", level=LogLevel.DEBUG)
async def run_rustfmt(request: RustfmtRequest.Batch, bash: BashBinary) -> FmtResult:
    program, configuration = await MultiGet(
        Get(FoundComponent, ComponentRequest(Component.RUSTFMT)),
        Get(ConfigFiles, ConfigFilesRequest, config_request(request.snapshot.dirs, "rustfmt.toml", ".rustfmt.toml")),
    )
    inputs = await Get(Digest, MergeDigests((request.snapshot.digest, configuration.snapshot.digest)))
    # What it cannot read is an error, as no other linter may look at it.
    result = await Get(
        ProcessResult,
        Process(
            [bash.path, "-c", _FORMAT, "rustfmt", program.path, request.partition_metadata.edition, *request.files],
            env={"RUSTFMT_VERSION": program.version, "PATH": "/usr/bin:/bin"},
            input_digest=inputs,
            output_files=request.files,
            description=f"Run rustfmt on {pluralize(len(request.files), 'file')}.",
            level=LogLevel.DEBUG,
        ),
    )
    return await FmtResult.create(request, result, strip_chroot_path=True)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *config_files.rules(), *RustfmtRequest.rules())
