"""The command as a process of its own: its first moments, and output that nobody takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

EARLY = """
import importlib, signal
from rapidbyte.cli.main import main
importlib.import_module = lambda name: signal.raise_signal(signal.SIGINT)
main()
"""

WITHOUT_PSYCOPG = """
import sys
from rapidbyte.cli.process import run
sys.modules["psycopg"] = None
sys.exit(run(["demo"]))
"""


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """An environment whose state is empty, for a Python that finds the same modules."""
    return {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry), "XDG_STATE_HOME": str(tmp_path)}


def test_interrupt_before_the_command_is_loaded_ends_the_process_without_a_word(env: Mapping[str, str]) -> None:
    ended = subprocess.run([sys.executable, "-c", EARLY], env=env, capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_result_that_nobody_reads_ends_like_other_programs_of_a_pipe(env: Mapping[str, str]) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    command = [sys.executable, "-m", "rapidbyte.cli", "runs", "--json"]
    with open(write_fd, "wb") as nobody:
        ended = subprocess.run(command, env=env, stdout=nobody, stderr=subprocess.PIPE, timeout=60)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_command_without_standard_streams_still_ends_with_its_code(env: Mapping[str, str]) -> None:
    command = f"exec {sys.executable} -m rapidbyte.cli runs --json >&- 2>&-"
    assert subprocess.run(["/bin/sh", "-c", command], env=env, timeout=60).returncode == 0


def test_text_that_the_terminal_cannot_encode_is_escaped(env: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "rapidbyte.cli", "run", "größe.yaml"]
    ended = subprocess.run(command, env={**env, "PYTHONIOENCODING": "ascii"}, capture_output=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr == b"error: There is no pipeline file gr\\xf6\\xdfe.yaml. Check the path.\n"


def test_command_whose_packages_are_an_extra_says_how_to_install_them(env: Mapping[str, str]) -> None:
    command = [sys.executable, "-c", WITHOUT_PSYCOPG]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr == (
        "error: `rapidbyte demo` needs the package psycopg, which is not installed. "
        "Install all that it needs with: pip install 'rapidbyte[demo]'\n"
    )
