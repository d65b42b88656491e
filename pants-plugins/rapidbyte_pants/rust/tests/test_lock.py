"""Tests that a Cargo.lock is cut to what some crates reach."""

from __future__ import annotations

import pytest
import toml

from rapidbyte_pants.rust.lock import cut_lock
from rapidbyte_pants.rust.manifest import ManifestError

LOCK = """
version = 4

[[package]]
name = "a"
version = "0.1.0"
dependencies = ["x 1.0.0", "y"]

[[package]]
name = "b"
version = "0.1.0"
dependencies = ["a", "x 2.0.0"]

[[package]]
name = "x"
version = "1.0.0"
source = "registry"
checksum = "11"

[[package]]
name = "x"
version = "2.0.0"
source = "registry"
checksum = "22"

[[package]]
name = "y"
version = "3.0.0"
source = "registry"
checksum = "33"
dependencies = ["x 1.0.0"]
"""


def _names(lock: str) -> list[tuple[str, str]]:
    return [(package["name"], package["version"]) for package in toml.loads(lock)["package"]]


def test_packages_that_no_member_reaches_are_left_out() -> None:
    assert _names(cut_lock("Cargo.lock", LOCK, {"a"})) == [("a", "0.1.0"), ("x", "1.0.0"), ("y", "3.0.0")]


def test_name_that_has_become_unique_stands_without_its_version() -> None:
    first, second, third = toml.loads(cut_lock("Cargo.lock", LOCK, {"a"}))["package"]
    assert (first["dependencies"], third["dependencies"]) == (["x", "y"], ["x"])
    assert second == {"name": "x", "version": "1.0.0", "source": "registry", "checksum": "11"}


def test_name_that_two_versions_share_keeps_its_version() -> None:
    cut = cut_lock("Cargo.lock", LOCK, {"a", "b"})
    assert toml.loads(cut) == toml.loads(LOCK)


def test_member_that_the_lock_does_not_know_is_told() -> None:
    with pytest.raises(ManifestError) as raised:
        cut_lock("w/Cargo.lock", LOCK, {"a", "new"})
    assert str(raised.value) == "w/Cargo.lock does not know new. Run `cargo update --workspace` beside it."
