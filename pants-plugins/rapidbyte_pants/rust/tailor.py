"""Proposes targets for crates and workspaces that have none, for the goal `tailor`."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.tailor import AllOwnedSources, PutativeTarget, PutativeTargets, PutativeTargetsRequest
from pants.engine.fs import DigestContents, PathGlobs
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.manifest import ManifestError, ManifestKind, kinds_of
from rapidbyte_pants.rust.subsystem import RustSubsystem
from rapidbyte_pants.rust.target_types import CargoWorkspaceTarget, RustCrateTarget, WasmConnectorTarget

logger = logging.getLogger(__name__)

_TARGETS: dict[ManifestKind, tuple[type[Target], str | None, tuple[str, ...]]] = {
    ManifestKind.WORKSPACE: (CargoWorkspaceTarget, "workspace", ("Cargo.lock", "Cargo.toml")),
    ManifestKind.LIBRARY: (RustCrateTarget, None, ("Cargo.toml",)),
    ManifestKind.CDYLIB: (WasmConnectorTarget, None, ("Cargo.toml",)),
}


@dataclass(frozen=True)
class PutativeCrateTargetsRequest(PutativeTargetsRequest):
    pass


@rule(desc="Find crates without a target", level=LogLevel.DEBUG)
async def find_crates_without_target(
    request: PutativeCrateTargetsRequest, owned: AllOwnedSources, rust: RustSubsystem
) -> PutativeTargets:
    if not rust.tailor:
        return PutativeTargets()
    manifests = await Get(DigestContents, PathGlobs, request.path_globs("Cargo.toml"))
    proposed = []
    for file in sorted(manifests, key=lambda file: file.path):
        if file.path in owned:
            continue
        try:
            kinds = kinds_of(file.path, file.content.decode())
        except ManifestError as error:
            logger.warning(f"No target can be proposed: {error}")
            continue
        for kind in kinds:
            target, name, triggers = _TARGETS[kind]
            proposed.append(
                PutativeTarget.for_target_type(
                    target, path=os.path.dirname(file.path), name=name, triggering_sources=triggers
                )
            )
    return PutativeTargets(proposed)


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(PutativeTargetsRequest, PutativeCrateTargetsRequest))
