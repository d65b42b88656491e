"""How the launcher comes by clippy and rustfmt: its shell functions, with programs that only look like real ones."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "build-support/pants/rust.sh"
LINTERS = ("cargo-clippy", "clippy-driver", "rustfmt")
# What `pants` defines before it sources the script.
_PRELUDE = """
set -euo pipefail
CACHE_ROOT=$1
say() { printf 'said: %s\\n' "$@"; }
die() { printf 'died: %s\\n' "$@"; exit 1; }
. "$2"
provide_linters
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with a toolchain of rustup, whose proxies alone are on PATH."""

    root: Path

    @property
    def toolchain(self) -> Path:
        return self.root / "rustup" / "toolchains" / "stable"

    @property
    def calls(self) -> list[str]:
        """What rustup was asked, call by call."""
        log = self.root / "calls"
        return log.read_text().splitlines() if log.exists() else []

    @property
    def stamp(self) -> list[str]:
        return (self.root / "cache" / "rust_linters").read_text().splitlines()

    def add_program(self, path: Path, script: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def add_rustup(self, effect: str) -> None:
        self.add_program(self.root / "proxies" / "rustup", f'echo "$@" >>{self.root}/calls\n{effect}')

    def provide_linters(self) -> str:
        result = subprocess.run(
            ["bash", "-c", _PRELUDE, "launcher", str(self.root / "cache"), str(SCRIPT)],
            env={"PATH": f"{self.root}/proxies:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    sysroot = f"echo {machine.toolchain}"
    for program in (machine.toolchain / "bin" / "rustc", tmp_path / "proxies" / "rustc"):
        machine.add_program(program, sysroot)
    # Rustup has a proxy for each linter, whether there is one behind it or not.
    for linter in LINTERS:
        machine.add_program(tmp_path / "proxies" / linter, "exit 1")
    (tmp_path / "cache").mkdir()
    stamp = (tmp_path / "proxies" / "cargo", tmp_path / "proxies" / "rustc")
    (tmp_path / "cache" / "rust").write_text("".join(f"{path}\n" for path in stamp))
    return machine


def test_linters_that_are_there_are_stamped_and_nothing_is_asked(machine: Machine) -> None:
    machine.add_rustup("exit 1")
    for linter in LINTERS:
        machine.add_program(machine.toolchain / "bin" / linter, "exit 0")
    assert machine.provide_linters() == ""
    assert machine.calls == []
    assert machine.stamp == [f"{machine.toolchain}/bin/{linter}" for linter in LINTERS]


def test_linters_that_are_missing_are_asked_of_rustup(machine: Machine) -> None:
    machine.add_rustup(f'cd {machine.toolchain}/bin && for linter in {" ".join(LINTERS)}; do cp rustc "$linter"; done')
    assert machine.provide_linters() == "said: adding clippy and rustfmt with rustup (once)\n"
    assert machine.calls == ["component add clippy rustfmt"]
    assert machine.stamp == [f"{machine.toolchain}/bin/{linter}" for linter in LINTERS]


def test_rustup_that_cannot_be_reached_is_no_error_and_is_not_asked_again(machine: Machine) -> None:
    machine.add_rustup("exit 1")
    machine.add_program(machine.toolchain / "bin" / "rustfmt", "exit 0")
    machine.provide_linters()
    # A stamp of files that exist stands: the folder of the toolchain, until there is another.
    assert machine.stamp == [f"{machine.toolchain}/bin"]
