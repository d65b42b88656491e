"""A connector is the same module wherever, whenever and from whatever it is built."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from proofs.scratch import Checkout, copied_checkout

_CONNECTORS = ("connectors/dest_postgres", "connectors/source_postgres")


def _digests(checkout: Checkout, profile: str, *options: str) -> Mapping[str, str]:
    built = checkout.pants(*options, f"--rust-wasm-profile={profile}", "package", *_CONNECTORS)
    assert built.code == 0, built.text
    modules = sorted((checkout.folder / "dist").glob("connectors.*/*.wasm"))
    return {module.name: hashlib.sha256(module.read_bytes()).hexdigest() for module in modules}


@pytest.mark.parametrize("profile", ["quick", "release"])
def test_module_built_from_nothing_in_another_folder_has_the_same_bytes(
    checkout: Checkout, tmp_path: Path, profile: str
) -> None:
    usual = _digests(checkout, profile)
    assert sorted(usual) == ["dest_postgres.wasm", "source_postgres.wasm"]
    elsewhere = tmp_path / "another place" / "of a longer name"
    # Crates, intermediate results and results: none of them is there before.
    caches = {
        "PANTS_LOCAL_STORE_DIR": str(tmp_path / "store"),
        "PANTS_NAMED_CACHES_DIR": str(tmp_path / "caches"),
    }
    with copied_checkout(elsewhere, **caches) as other:
        assert _digests(other, profile, "--no-rust-keep-target-dir") == usual
