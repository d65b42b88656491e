"""The hunt for flakes tells what failed and what stayed behind, and the same seed has the same order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flake_hunt.hunt import hunt
from harness.python_path import PYTHON_PATH

_HUNT = f"import sys; from {hunt.__module__} import hunt; sys.exit(hunt())"
_CONFTEST = 'pytest_plugins = ["harness.fix_server"]\n'
_CLEAN = "def test_that_leaves_nothing(session, tmp_path): (tmp_path / 'a').touch()\n"
_DEPENDS_ON_ORDER = """
_SEEN = []

def test_first(): _SEEN.append(1)

def test_second(): assert _SEEN
"""
_LEAKS = """
import subprocess, tempfile
from pathlib import Path

def test_that_leaks(session):
    session.execute("CREATE SCHEMA left_behind")
    session.execute("CREATE ROLE left_behind")
    (Path(tempfile.gettempdir()) / "left_behind").touch()
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("{pid_file}").write_text(str(process.pid))
    process.returncode = 0
"""


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A folder of tests of somebody's."""
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text(_CONFTEST, encoding="utf-8")
    (tmp_path / "test_clean.py").write_text(_CLEAN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def pid_file(tmp_path: Path) -> Iterator[Path]:
    """Where a test writes the number of a process, which is ended in any case."""
    file = tmp_path / "pid"
    yield file
    if file.exists() and _is_running(pid := int(file.read_text(encoding="utf-8"))):
        os.kill(pid, signal.SIGKILL)


def _hunt(suite: Path, *options: str) -> tuple[int, list[str]]:
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    command = [sys.executable, "-c", _HUNT, str(suite), *options]
    ended = subprocess.run(command, cwd=suite, env=environment, capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout.splitlines()


def _is_running(pid: int) -> bool:
    try:
        return "sleep" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


def test_nothing_is_found_where_there_is_nothing(suite: Path) -> None:
    code, lines = _hunt(suite, "--rounds=1", "--seed=7")
    assert code == 0
    assert lines[0].startswith("round 1 of 1, seed 7: 1 tests of 1 files in ")
    assert lines[0].endswith(" s, 0 failed, 0 left behind")
    assert lines[1:] == ["1 rounds, 1 tests: 0 failures, 0 things left behind"]


def test_what_fails_in_some_order_is_told_with_its_seed_and_in_full(suite: Path) -> None:
    (suite / "test_order.py").write_text(_DEPENDS_ON_ORDER, encoding="utf-8")
    code, lines = _hunt(suite, "--rounds=2", "--seed=3")
    assert code == 1
    first, second = (line for line in lines if line.startswith("round "))
    assert first.startswith("round 1 of 2, seed 3: 3 tests of 2 files in ")
    assert first.endswith(", 0 failed, 0 left behind")
    assert second.startswith("round 2 of 2, seed 4: 3 tests of 2 files in ")
    assert second.endswith(", 1 failed, 0 left behind")
    assert f"  failed in 1 of 2 rounds: {suite}/test_order.py::test_second" in lines
    (text,) = (suite / "dist/flake_hunt").glob("seed-3/*/*.txt")
    assert text.parent.name == "round-2"
    assert "assert _SEEN" in text.read_text(encoding="utf-8")


def test_what_stays_behind_is_told_once_and_its_processes_are_ended(suite: Path, pid_file: Path) -> None:
    (suite / "test_leaks.py").write_text(_LEAKS.format(pid_file=pid_file), encoding="utf-8")
    code, lines = _hunt(suite, "--rounds=1", "--patience=1")
    pid = int(pid_file.read_text(encoding="utf-8"))
    assert code == 1
    left = [line.removeprefix("  left: ") for line in lines[1:] if line.startswith("  left: ")]
    assert len(left) == 8
    assert left[0].startswith("file /tmp/rb-hunt-")
    assert left[0].endswith("/tmp/left_behind")
    assert left[1:4] == [f"process {pid}: sleep 600", "role left_behind", "schema left_behind"]
    assert left[4:] == left[:4]  # as the round told, and as the summary does
    assert not _is_running(pid)


def test_suite_that_does_not_load_counts_as_failed(suite: Path) -> None:
    (suite / "test_broken.py").write_text("import nothing_of_this_name\n", encoding="utf-8")
    code, lines = _hunt(suite, "--rounds=1")
    assert code == 1
    assert [line for line in lines if "test_broken" in line] == [
        f"  failed: {suite}/test_broken.py (pytest ended with 2)",
        f"  failed in 1 of 1 rounds: {suite}/test_broken.py (pytest ended with 2)",
    ]
