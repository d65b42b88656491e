"""What the build reads from Cargo's manifests, and the manifest of a workspace cut to some of its crates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import toml

# What Cargo takes where no edition is named.
OLDEST_EDITION = "2015"

_DEPENDENCY_TABLES = ("dependencies", "dev-dependencies", "build-dependencies")


class ManifestError(ValueError):
    """A manifest lacks what the build needs from it."""


class ManifestKind(Enum):
    """What a Cargo.toml describes: a workspace, a crate for other crates, or one that becomes a module."""

    WORKSPACE = "workspace"
    LIBRARY = "library"
    CDYLIB = "cdylib"


@dataclass(frozen=True)
class Manifest:
    """A crate's package name, and the names of the packages it depends on, from wherever they come.

    `edition` is None where the crate takes it from its workspace.
    """

    package: str
    dependencies: frozenset[str]
    edition: str | None = OLDEST_EDITION


def parse_manifest(path: str, content: str) -> Manifest:
    """Read a crate's Cargo.toml. Raises ManifestError, naming `path`."""
    document = _load(path, content)
    about = document.get("package", {})
    package = about.get("name")
    if not isinstance(package, str):
        raise ManifestError(f"{path} has no package name. Give it one under [package].")
    tables = [document, *document.get("target", {}).values()]
    names = frozenset(
        specification.get("package", key) if isinstance(specification, Mapping) else key
        for table in tables
        for kind in _DEPENDENCY_TABLES
        for key, specification in table.get(kind, {}).items()
    )
    edition = about.get("edition", OLDEST_EDITION)
    return Manifest(package, names, edition if isinstance(edition, str) else None)


def dependency_names(path: str, content: str) -> tuple[tuple[str, str], ...]:
    """Give each dependency by its table and the name that code knows it by. Raises ManifestError, naming `path`."""
    document = _load(path, content)
    tables = [document, *document.get("target", {}).values()]
    return tuple((kind, name) for table in tables for kind in _DEPENDENCY_TABLES for name in table.get(kind, {}))


def kinds_of(path: str, content: str) -> tuple[ManifestKind, ...]:
    """Tell what a Cargo.toml describes, which may be a workspace and a crate at once. Raises ManifestError."""
    document = _load(path, content)
    kinds = [ManifestKind.WORKSPACE] if "workspace" in document else []
    if "package" in document:
        crate_types = document.get("lib", {}).get("crate-type", [])
        kinds.append(ManifestKind.CDYLIB if "cdylib" in crate_types else ManifestKind.LIBRARY)
    return tuple(kinds)


def workspace_edition(path: str, content: str) -> str:
    """Read the edition that the crates of a workspace may take from its manifest. Raises ManifestError."""
    edition = _load(path, content).get("workspace", {}).get("package", {}).get("edition", OLDEST_EDITION)
    return str(edition)


def cut_workspace(path: str, content: str, members: Iterable[str]) -> str:
    """Give the workspace's manifest with only these members, as folders relative to it. Raises ManifestError."""
    document = _load(path, content)
    if "workspace" not in document:
        raise ManifestError(f"{path} is not the manifest of a workspace: it has no [workspace].")
    workspace = document["workspace"]
    workspace["members"] = sorted(members)
    workspace.pop("default-members", None)
    workspace.pop("exclude", None)
    return toml.dumps(document)


def _load(path: str, content: str) -> dict[str, Any]:
    try:
        return toml.loads(content)
    except toml.TomlDecodeError as error:
        raise ManifestError(f"{path} is not valid TOML: {error}") from error
