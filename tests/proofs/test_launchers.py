"""The ways in which Pants is started, and the places from which it is."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from proofs.scratch import Checkout, copied_checkout, installation

_SMALL = "tests/unit/config/test_load.py"


def test_works_without_its_daemon(checkout: Checkout) -> None:
    ended = checkout.pants("--no-pantsd", "test", _SMALL)
    assert ended.code == 0, ended.text


def test_two_at_once_both_end_well(checkout: Checkout) -> None:
    command = ["./pants", "--no-dynamic-ui", "--no-pantsd", "test", "--force", _SMALL]
    both = [
        subprocess.Popen(
            command, cwd=checkout.folder, env=dict(checkout.env), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    for process in both:
        _, stderr = process.communicate(timeout=600)
        assert process.returncode == 0, stderr.decode()


def test_works_from_a_path_with_spaces(tmp_path: Path) -> None:
    with copied_checkout(tmp_path / "a path with spaces") as spaced:
        ended = spaced.pants("test", _SMALL)
        assert ended.code == 0, ended.text


def test_works_in_a_worktree(checkout: Checkout, tmp_path: Path) -> None:
    checkout.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Checkout(tmp_path / "side", checkout.env)
    with (side.folder / _SMALL).open("a", encoding="utf-8") as file:
        file.write("\n# edited\n")
    try:
        changed = side.pants("--changed-since=main", "--changed-dependents=transitive", "list")
    finally:
        side.close()
        checkout.git("worktree", "remove", "--force", str(side.folder))
    assert (changed.code, changed.stdout) == (0, f"{_SMALL}\n"), changed.text


def test_works_in_a_shallow_clone(checkout: Checkout, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", checkout.folder.as_uri(), clone], check=True)
    shallow = Checkout(clone, checkout.env)
    try:
        ended = shallow.pants("test", _SMALL)
    finally:
        shallow.close()
    assert ended.code == 0, ended.text


def test_official_launcher_works(tmp_path: Path) -> None:
    """It runs the Pants that pants.toml names with nothing from `./pants` but the network's own settings."""
    with copied_checkout(tmp_path / "official", PANTS_PANTSD="false") as copy:
        installed = copy.pants("--version")
        assert (installed.code, installed.stdout) == (0, "2.17.1\n"), installed.text
        (program,) = installation(copy).glob("venv/bin/pants")
        ended = copy.run(str(program), "--no-dynamic-ui", "lint", "--only=unowned-files", "::")
        assert ended.code == 0, ended.text


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """A PATH with what a launch needs, and no Rust."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "cat", "cksum", "env", "mkdir", "mv", "flock", "git", "rm", "ls", "sleep"):
        found = shutil.which(name)
        assert found is not None, name
        (folder / name).symlink_to(found)
    return folder


def test_missing_rust_is_told_with_its_remedy(checkout: Checkout, bare_path: Path, tmp_path: Path) -> None:
    cache = Path(checkout.env.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rapidbyte")
    # The installation without the stamp that says that there is Rust.
    shutil.copytree(cache, tmp_path / "cache/rapidbyte", symlinks=True, ignore=shutil.ignore_patterns("rust", "aot"))
    environment = {"PATH": str(bare_path), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = Checkout(checkout.folder, environment).pants("test", _SMALL)
    assert ended.code == 1
    assert ended.stderr == (
        "pants: compiling connectors needs Rust, a C linker and the target wasm32-wasip1.\n"
        "pants: Install Rust with rustup, then run: rustup target add wasm32-wasip1\n"
    )


def test_wrong_python_is_told_with_its_remedy(checkout: Checkout) -> None:
    ended = checkout.pants("--version", RAPIDBYTE_PANTS_PYTHON="/bin/false")
    assert ended.code == 1
    assert ended.stderr == (
        "pants: RAPIDBYTE_PANTS_PYTHON=/bin/false is not a CPython 3.9, 3.8 or 3.7 with venv.\n"
        "pants: Point it at one, or unset it to have one searched for.\n"
    )
    assert not list(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "rapidbyte").glob("*.new"))
