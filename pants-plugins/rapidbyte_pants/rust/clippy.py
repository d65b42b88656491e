"""Runs clippy on each crate, for this machine, as a part of the goal `lint`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules import config_files
from pants.core.util_rules.config_files import ConfigFiles, ConfigFilesRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.engine.fs import Digest, MergeDigests
from pants.engine.process import FallibleProcessResult, Process
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import FieldSet, Target
from pants.engine.unions import UnionRule
from pants.option.option_types import ArgsListOption, SkipOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import help_text

from rapidbyte_pants.rust.cargo import CargoProcess
from rapidbyte_pants.rust.components import Component, ComponentRequest, FoundComponent
from rapidbyte_pants.rust.rustfmt import config_request
from rapidbyte_pants.rust.target_types import CrateSourcesField, SkipClippyField
from rapidbyte_pants.rust.workspace import CrateInputs, CrateInputsRequest

# Each crate is looked at by itself: what it depends on is only compiled. The first argument is for the cache's key.
_CLIPPY = r"""
package=$2
shift 2
cargo clippy --quiet --offline --all-targets --no-deps --package "$package" --target-dir "$target" -- "$@"
"""


class Clippy(Subsystem):
    options_scope = "clippy"
    name = "clippy"
    help = help_text(
        """
        The linter of Rust code. It comes with the toolchain that is found by `[rust].search_path`, looks at all of a
        crate, tests included, as it is compiled for this machine, and obeys the lints of the manifests and the
        `clippy.toml` beside one or above it.
        """
    )

    skip = SkipOption("lint")
    args = ArgsListOption(example="-W clippy::pedantic", default=["-D", "warnings"])


@dataclass(frozen=True)
class ClippyFieldSet(FieldSet):
    required_fields = (CrateSourcesField,)

    sources: CrateSourcesField

    @classmethod
    def opt_out(cls, tgt: Target) -> bool:
        return bool(tgt.get(SkipClippyField).value)


class ClippyRequest(LintTargetsRequest):
    field_set_type = ClippyFieldSet
    tool_subsystem = Clippy  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_ONE_PARTITION_PER_INPUT


@rule(desc="Lint with clippy", level=LogLevel.DEBUG)
async def run_clippy(request: ClippyRequest.Batch[ClippyFieldSet, Any], clippy: Clippy) -> LintResult:
    (field_set,) = request.elements
    address = field_set.address
    component, inputs, configuration = await MultiGet(
        Get(FoundComponent, ComponentRequest(Component.CLIPPY)),
        Get(CrateInputs, CrateInputsRequest(address)),
        Get(ConfigFiles, ConfigFilesRequest, config_request([address.spec_path], "clippy.toml", ".clippy.toml")),
    )
    process = await Get(
        Process,
        CargoProcess(
            script=_CLIPPY,
            arguments=(component.version, inputs.package, *clippy.args),
            workspace_folder=inputs.workspace_folder,
            input_digest=await Get(Digest, MergeDigests((inputs.digest, configuration.snapshot.digest))),
            description=f"Run clippy on {address}",
            kept_as=inputs.kept_as(f"clippy-{hashlib.sha256(component.version.encode()).hexdigest()[:8]}"),
        ),
    )
    result = await Get(FallibleProcessResult, Process, process)
    return LintResult.create(request, result, strip_chroot_path=True)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *config_files.rules(), *ClippyRequest.rules())
