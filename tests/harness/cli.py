"""The command line as its users have it: a process of its own, with its own state and environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.python_path import PYTHON_PATH
from harness.waiting import PATIENCE_S
from rapidbyte.cli import main as cli_main

_CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
_RUN = f"import sys; from {cli_main.__name__} import main; sys.exit(main())"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it printed."""

    code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Cli:
    """The `rapidbyte` command with the variables of a test; `home` holds what it writes on its own."""

    variables: Mapping[str, str]
    home: Path

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        """Start a command. Use the process through `with`."""
        environment = {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": _CACHE,  # shared with all tests, so that a connector is compiled for this machine once
            "PYTHONPATH": PYTHON_PATH,
            **self.variables,
            **more,
        }
        return subprocess.Popen(
            [sys.executable, "-c", _RUN, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **more: str) -> Ended:
        """Run a command to its end."""
        with self.start(*arguments, **more) as process:
            return finish(process)


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for a started command; one that takes too long is killed and fails the test."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    except BaseException:
        process.kill()
        raise
    return Ended(process.returncode, stdout, stderr)
