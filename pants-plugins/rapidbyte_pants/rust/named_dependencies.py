"""Reports dependencies of a Cargo.toml that the crate's code never names: each costs a download and a compilation."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pants.core.goals.lint import LintResult, LintTargetsRequest
from pants.core.util_rules.partitions import PartitionerType
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.fs import Digest, DigestContents
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import FieldSet
from pants.engine.unions import UnionRule
from pants.option.option_types import SkipOption
from pants.option.subsystem import Subsystem
from pants.util.logging import LogLevel
from pants.util.strutil import help_text, softwrap

from rapidbyte_pants.rust.manifest import dependency_names
from rapidbyte_pants.rust.target_types import CrateSourcesField

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)

_REMEDY = softwrap(
    """
    Remove what is not used. For what is needed without being named, as to choose its features, write a `use name as _;`
    that says so.
    """
)


class CargoDependencies(Subsystem):
    options_scope = "cargo-dependencies"
    name = "Dependencies of crates"
    help = help_text(
        """
        A linter that reports dependencies of a crate's Cargo.toml which its code never names. Those of
        `[build-dependencies]` are looked for in `build.rs`, all others in every other file of the crate.
        """
    )

    skip = SkipOption("lint")


@dataclass(frozen=True)
class CargoDependenciesFieldSet(FieldSet):
    required_fields = (CrateSourcesField,)

    sources: CrateSourcesField


class CargoDependenciesRequest(LintTargetsRequest):
    field_set_type = CargoDependenciesFieldSet
    tool_subsystem = CargoDependencies  # type: ignore[assignment]  # As in Pants' own backends: its protocol fits no subsystem.
    partitioner_type = PartitionerType.DEFAULT_SINGLE_PARTITION


def unnamed(manifest_path: str, files: Mapping[str, str]) -> tuple[str, ...]:
    """Give a line for each dependency that no code of the crate names, by the text of the crate's files."""
    names = dependency_names(manifest_path, files[manifest_path])
    script = os.path.join(os.path.dirname(manifest_path), "build.rs")
    build = _code(text for path, text in files.items() if path == script)
    other = _code(text for path, text in files.items() if path.endswith(".rs") and path != script)
    return tuple(
        f"{manifest_path}: no code names `{name}` of [{table}]."
        for table, name in names
        if not re.search(rf"\b{name.replace('-', '_')}\b", build if table == "build-dependencies" else other)
    )


def _code(texts: Iterable[str]) -> str:
    return "\n".join(_COMMENT.sub("", text) for text in texts)


@rule(desc="Look for dependencies of crates that no code names", level=LogLevel.DEBUG)
async def check_dependencies(
    request: CargoDependenciesRequest.Batch[CargoDependenciesFieldSet, Any],
) -> LintResult:
    sources = await MultiGet(
        Get(SourceFiles, SourceFilesRequest([field_set.sources])) for field_set in request.elements
    )
    contents = await MultiGet(Get(DigestContents, Digest, found.snapshot.digest) for found in sources)
    lines = [
        line
        for field_set, files in zip(request.elements, contents)
        for line in unnamed(
            os.path.join(field_set.address.spec_path, "Cargo.toml"),
            {file.path: file.content.decode(errors="replace") for file in files},
        )
    ]
    return LintResult(
        exit_code=1 if lines else 0,
        stdout="\n".join((*lines, _REMEDY)) if lines else "",
        stderr="",
        linter_name=request.tool_name,
    )


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), *CargoDependenciesRequest.rules())
