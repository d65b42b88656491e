"""What CI runs, with programs that only look like real ones: what it counts, and what it says of containers."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

# Where it lies in the checkout, and in a sandbox that has it.
SCRIPT = Path(__file__).resolve().parents[3] / ".ci/run"
# Writes a report of two tests for each call of `test`, of which one fails where the environment says so.
_PANTS = """
echo "$@ $RAPIDBYTE_TEST_CONTAINER" >>calls
[ "$1" = test ] || exit 0
mkdir -p "$PANTS_TEST_REPORT_DIR"
echo "<testsuite tests=\\"2\\" failures=\\"${FAILURES:-0}\\" errors=\\"0\\" skipped=\\"0\\">" \\
  >"$PANTS_TEST_REPORT_DIR/suite.xml"
exit "${FAILURES:-0}"
"""
_PROGRAMS = ("dirname", "grep", "mkdir", "rm", "timeout")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout that has what is run, a Pants that writes reports, and the programs that are on PATH."""

    root: Path

    def add_program(self, path: str, script: str) -> None:
        program = self.root / path
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    def run(self, **env: str) -> tuple[int, list[str]]:
        """Return the exit code and the lines that are no empty ones."""
        ended = subprocess.run(
            ["/bin/bash", self.root / ".ci/run"],
            env={"PATH": str(self.root / "bin"), **env},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return ended.returncode, [line for line in ended.stdout.splitlines() if line]

    def calls(self) -> list[str]:
        """Return the calls of Pants, with the image of a container at the end."""
        return [line.strip() for line in (self.root / "calls").read_text().splitlines()]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    (tmp_path / ".ci").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".ci/run")
    (tmp_path / "bin").mkdir()
    for name in _PROGRAMS:
        found = shutil.which(name)
        assert found is not None, f"{name} is not on PATH"
        (tmp_path / "bin" / name).symlink_to(found)
    made.add_program("pants", _PANTS)
    return made


def test_one_suite_runs_on_a_container_too_where_there_can_be_one(checkout: Checkout) -> None:
    checkout.add_program("bin/docker", "exit 0")
    assert checkout.run() == (0, ["4 passed, 0 failed"])
    on_container = "test tests/e2e/test_full_refresh.py postgres:18"
    assert checkout.calls() == ["lint ::", "check ::", on_container, "test ::", "demo"]


def test_image_can_be_chosen(checkout: Checkout) -> None:
    checkout.add_program("bin/docker", "exit 0")
    checkout.run(RAPIDBYTE_CI_IMAGE="mirror/postgres:17")
    assert checkout.calls()[2] == "test tests/e2e/test_full_refresh.py mirror/postgres:17"


@pytest.mark.parametrize(
    ("docker", "why"),
    [
        pytest.param(None, "there is no docker", id="no program"),
        pytest.param(
            "echo warned >&2; echo Is the daemon running? >&2; exit 1",
            "no Docker engine answers: Is the daemon running?",
            id="no engine",
        ),
        pytest.param(
            '[ "$1" = version ] || { echo no route >&2; exit 1; }',
            "the image postgres:18 is not here and cannot be pulled: no route",
            id="no image",
        ),
    ],
)
def test_that_no_suite_ran_on_a_container_is_said_before_the_last_line(
    checkout: Checkout, docker: str | None, why: str
) -> None:
    if docker is not None:
        checkout.add_program("bin/docker", docker)
    assert checkout.run() == (0, [f"*** NO SUITE RAN ON A CONTAINER: {why} ***", "2 passed, 0 failed"])
    assert checkout.calls() == ["lint ::", "check ::", "test ::", "demo"]


def test_failures_on_a_container_count(checkout: Checkout) -> None:
    checkout.add_program("bin/docker", "exit 0")
    assert checkout.run(FAILURES="1") == (1, ["2 passed, 2 failed"])
