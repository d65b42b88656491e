"""The command line as its users have it: a process of its own, with its own state and environment.

A command that is run to its end may be forked from a process that has imported it already, which is sooner.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.evidence import Call, Evidence
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


Fork = Callable[[Sequence[str], Mapping[str, str]], Ended]


class Command(subprocess.Popen[str]):
    """A running command; `ended` is set by `finish`."""

    ended: Ended | None = None


@dataclass(frozen=True, slots=True)
class Cli:
    """The `rapidbyte` command with the variables of a test; `home` holds what it writes on its own."""

    variables: Mapping[str, str] = field(repr=False)
    home: Path
    evidence: Evidence = field(repr=False)
    fork: Fork | None = field(default=None, repr=False)

    def start(self, *arguments: str, **more: str) -> Command:
        """Start a command, in a process from nothing. Use it through `with`."""
        environment = self._environment(more)
        command = Command(
            [sys.executable, "-c", _RUN, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._note(arguments, environment, lambda: command.ended)
        return command

    def run(self, *arguments: str, **more: str) -> Ended:
        """Run a command to its end."""
        if self.fork is None:
            with self.start(*arguments, **more) as process:
                return finish(process)
        environment = self._environment(more)
        ended = self.fork(arguments, environment)
        self._note(arguments, environment, lambda: ended)
        return ended

    def _environment(self, more: Mapping[str, str]) -> Mapping[str, str]:
        return {
            "PATH": os.defpath,
            "HOME": str(self.home),
            "XDG_CACHE_HOME": _CACHE,  # shared with all tests, so that a connector is compiled for this machine once
            "PYTHONPATH": PYTHON_PATH,
            **self.variables,
            **more,
        }

    def _note(
        self, arguments: Sequence[str], environment: Mapping[str, str], ended: Callable[[], Ended | None]
    ) -> None:
        files = [word for word in arguments if word.endswith((".yaml", ".yml"))]
        documents = [self.evidence.document(file, environment) for file in files]
        title = shlex.join(["rapidbyte", *arguments])
        self.evidence.calls.append(Call(title, "\n".join(documents), lambda: _told(ended())))


def finish(process: subprocess.Popen[str]) -> Ended:
    """Wait for a started command; one that takes too long is killed and fails the test."""
    try:
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
    except BaseException:
        process.kill()
        raise
    ended = Ended(process.returncode, stdout, stderr)
    if isinstance(process, Command):
        process.ended = ended
    return ended


def _told(ended: Ended | None) -> str:
    if ended is None:
        return "nobody waited for its end"
    return f"exit code {ended.code}\n--- stdout\n{ended.stdout.rstrip()}\n--- stderr\n{ended.stderr.rstrip()}"
