"""The Cargo workspace as the build sees it, and the part of it that one crate is compiled from."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.core.util_rules import source_files
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.addresses import Address
from pants.engine.fs import CreateDigest, Digest, DigestContents, FileContent, MergeDigests, PathGlobs
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import AllTargets, SourcesField, TransitiveTargets, TransitiveTargetsRequest
from pants.util.frozendict import FrozenDict
from pants.util.logging import LogLevel

from rapidbyte_pants.rust.lock import cut_lock
from rapidbyte_pants.rust.manifest import Manifest, cut_workspace, parse_manifest, workspace_edition
from rapidbyte_pants.rust.target_types import (
    CargoWorkspaceSourcesField,
    ConnectorSourcesField,
    CrateSourcesField,
    OwnBuildFolderField,
)


class WorkspaceError(ValueError):
    """The targets do not describe one Cargo workspace."""


@dataclass(frozen=True)
class Crate:
    """One crate that has a target."""

    address: Address
    folder: str
    manifest: Manifest
    is_connector: bool
    has_own_build_folder: bool


@dataclass(frozen=True)
class AllCrates:
    """Every crate that has a target, by the name of its package."""

    by_package: FrozenDict[str, Crate]
    manifests: Digest

    def at(self, address: Address) -> Crate:
        """Give the crate of a target."""
        return next(crate for crate in self.by_package.values() if crate.address == address)

    def connector(self, package: str) -> Crate | None:
        """Give the connector of this package name, if there is one."""
        crate = self.by_package.get(package)
        return crate if crate is not None and crate.is_connector else None


@dataclass(frozen=True)
class CargoWorkspace:
    """The files that the crates share. `folder` is relative to the build root."""

    address: Address
    folder: str
    manifest: str
    lock: str

    def edition_of(self, crate: Crate) -> str:
        """Give the edition that a crate is written in."""
        own = crate.manifest.edition
        return own if own is not None else workspace_edition(os.path.join(self.folder, "Cargo.toml"), self.manifest)

    def cut_to(self, crates: Iterable[Crate]) -> tuple[FileContent, FileContent]:
        """Give the shared files as they would be, were these crates the whole workspace."""
        members = tuple(crates)
        manifest_path = os.path.join(self.folder, "Cargo.toml")
        lock_path = os.path.join(self.folder, "Cargo.lock")
        folders = (os.path.relpath(crate.folder, self.folder) for crate in members)
        manifest = cut_workspace(manifest_path, self.manifest, folders)
        lock = cut_lock(lock_path, self.lock, {crate.manifest.package for crate in members})
        return FileContent(manifest_path, manifest.encode()), FileContent(lock_path, lock.encode())


@dataclass(frozen=True)
class CrateInputsRequest:
    address: Address


@dataclass(frozen=True)
class CrateInputs:
    """All that compiling and testing one crate reads, at the paths of the build root: no other connector's files."""

    package: str
    workspace_folder: str
    digest: Digest
    has_own_build_folder: bool

    def kept_as(self, what: str) -> str:
        """Name the folder that keeps what Cargo compiles of the crate for one purpose."""
        return f"{what}-{self.package}" if self.has_own_build_folder else what


@rule(desc="Read the crates' manifests", level=LogLevel.DEBUG)
async def find_crates(targets: AllTargets) -> AllCrates:
    by_manifest = {
        os.path.join(target.address.spec_path, "Cargo.toml"): target
        for target in targets
        if target.has_field(CrateSourcesField)
    }
    crates: dict[str, Crate] = {}
    manifests = await Get(Digest, PathGlobs(sorted(by_manifest)))
    for file in await Get(DigestContents, Digest, manifests):
        target = by_manifest[file.path]
        manifest = parse_manifest(file.path, file.content.decode())
        known = crates.get(manifest.package)
        if known is not None:
            raise WorkspaceError(f"{known.address} and {target.address} have the same package name: rename one.")
        crates[manifest.package] = Crate(
            target.address,
            os.path.dirname(file.path),
            manifest,
            is_connector=target.has_field(ConnectorSourcesField),
            has_own_build_folder=target[OwnBuildFolderField].value,
        )
    return AllCrates(FrozenDict(crates), manifests)


@rule(desc="Read the Cargo workspace", level=LogLevel.DEBUG)
async def find_workspace(targets: AllTargets) -> CargoWorkspace:
    found = [target for target in targets if target.has_field(CargoWorkspaceSourcesField)]
    if len(found) != 1:
        addresses = ", ".join(sorted(str(target.address) for target in found)) or "none"
        raise WorkspaceError(f"The crates need exactly one `cargo_workspace` target. There is: {addresses}.")
    (target,) = found
    files = await Get(SourceFiles, SourceFilesRequest([target[CargoWorkspaceSourcesField]]))
    contents = {
        os.path.basename(file.path): file.content.decode()
        for file in await Get(DigestContents, Digest, files.snapshot.digest)
    }
    return CargoWorkspace(target.address, target.address.spec_path, contents["Cargo.toml"], contents["Cargo.lock"])


@rule
async def cut_to_crate(request: CrateInputsRequest, workspace: CargoWorkspace, crates: AllCrates) -> CrateInputs:
    transitive = await Get(TransitiveTargets, TransitiveTargetsRequest([request.address]))
    closure = [target for target in transitive.closure if target.has_field(CrateSourcesField)]
    members = [crates.at(target.address) for target in closure]
    shared = await Get(Digest, CreateDigest(workspace.cut_to(members)))
    sources = await Get(
        SourceFiles,
        SourceFilesRequest(
            [target.get(SourcesField) for target in transitive.closure],
            for_sources_types=(CrateSourcesField, FileSourceField, ResourceSourceField),
        ),
    )
    digest = await Get(Digest, MergeDigests([shared, sources.snapshot.digest]))
    crate = crates.at(request.address)
    return CrateInputs(crate.manifest.package, workspace.folder, digest, crate.has_own_build_folder)


def rules() -> Iterable[Rule]:
    return (*collect_rules(), *source_files.rules())
