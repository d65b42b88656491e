"""Tests what the build reads from Cargo's manifests."""

from __future__ import annotations

import pytest
import toml

from rapidbyte_pants.rust.manifest import Manifest, ManifestError, cut_workspace, parse_manifest, workspace_edition

CRATE = """
[package]
name = "dest_postgres"
version.workspace = true

[dependencies]
sdk.workspace = true
wire = { path = "../pgwire", package = "pgwire" }
bytes = "1"

[dev-dependencies]
proptest.workspace = true

[target.'cfg(unix)'.dependencies]
libc = "0.2"
"""


def test_dependencies_of_every_table_are_read_by_their_package_name() -> None:
    expected = frozenset({"sdk", "pgwire", "bytes", "proptest", "libc"})
    assert parse_manifest("c/Cargo.toml", CRATE) == Manifest("dest_postgres", expected, "2015")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[lib]\n", "c/Cargo.toml has no package name. Give it one under [package]."),
        ("[package\n", "c/Cargo.toml is not valid TOML: "),
    ],
)
def test_manifest_that_cannot_be_used_is_named(content: str, message: str) -> None:
    with pytest.raises(ManifestError) as raised:
        parse_manifest("c/Cargo.toml", content)
    assert str(raised.value).startswith(message)


def test_cut_workspace_has_only_the_asked_members_and_all_else_as_it_was() -> None:
    workspace = '[workspace]\nresolver = "3"\nmembers = ["a", "b", "c"]\ndefault-members = ["c"]\n'
    content = workspace + '[profile.quick]\nlto = "off"\n'
    cut = toml.loads(cut_workspace("Cargo.toml", content, ["c", "a"]))
    assert cut == {"workspace": {"resolver": "3", "members": ["a", "c"]}, "profile": {"quick": {"lto": "off"}}}


def test_crate_is_no_workspace() -> None:
    with pytest.raises(ManifestError, match=r"^Cargo.toml is not the manifest of a workspace"):
        cut_workspace("Cargo.toml", CRATE, ["a"])


@pytest.mark.parametrize(
    ("line", "edition"), [("", "2015"), ('edition = "2021"', "2021"), ("edition.workspace = true", None)]
)
def test_edition_is_the_crates_own_or_that_of_the_workspace(line: str, edition: str | None) -> None:
    assert parse_manifest("Cargo.toml", f'[package]\nname = "a"\n{line}\n').edition == edition
    assert workspace_edition("Cargo.toml", '[workspace.package]\nedition = "2024"\n') == "2024"
