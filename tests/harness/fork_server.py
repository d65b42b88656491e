"""Processes that begin in the middle: each is forked from one that has imported what runs and commands need.

Starting Python and importing takes longer than most of what they do. Where a run is to die it reads from its own
environment.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import rapidbyte
from harness.cli import Ended
from harness.python_path import PYTHON_PATH
from harness.waiting import PATIENCE_S
from rapidbyte.cli.main import main
from rapidbyte.engine import points

_SERVE = f"import rapidbyte.engine, rapidbyte.cli.commands.run; from {__name__} import serve; serve()"
_RUN = "run"
_COMMAND = "command"


class ForkServer:
    """Use it through `with`. It starts when it is first needed, and has one process at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def run(self, template: str, variables: Mapping[str, str], state_path: Path) -> Ended:
        """Run a pipeline in a process of its own, with `variables` added to its environment, to its end."""
        return self._order(_RUN, (template, str(state_path)), variables)

    def command(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Ended:
        """Run a command in a process of its own, which has this environment alone, to its end."""
        return self._order(_COMMAND, arguments, environment)

    def _order(self, kind: str, words: Sequence[str], environment: Mapping[str, str]) -> Ended:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _SERVE],
                env={**os.environ, "PYTHONPATH": PYTHON_PATH},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([kind, list(words), dict(environment)]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks the others has ended; what it said is on standard error"
        return Ended(*json.loads(answer))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.communicate()


def serve() -> None:
    """Fork for each line of standard input, and answer with a line: how the fork ended, and what it printed.

    The fork does what it was told and returns, so that it ends as any other Python does.
    """
    gc.freeze()  # what is loaded now is the same in all forks
    for line in sys.stdin:
        kind, words, environment = json.loads(line)
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            child = os.fork()
            if child == 0:
                _take_streams(stdout.fileno(), stderr.fileno())
                (_run if kind == _RUN else _command)(words, environment)
                return
            _, status = os.waitpid(child, 0)
            printed = [os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0) for file in (stdout, stderr)]
        answer = [os.waitstatus_to_exitcode(status), *(text.decode(errors="replace") for text in printed)]
        print(json.dumps(answer), flush=True)


def _take_streams(stdout: int, stderr: int) -> None:
    with open(os.devnull, "rb") as nothing:
        for number, file in enumerate((nothing.fileno(), stdout, stderr)):
            os.dup2(file, number)
    tempfile.tempdir = None  # where the server found it; the environment of a command may name another
    signal.alarm(int(PATIENCE_S))


def _run(words: Sequence[str], variables: Mapping[str, str]) -> None:
    os.environ.update(variables)
    importlib.reload(points)  # which reads there where to die; whoever imported its `reach` sees that too
    template, state_path = map(Path, words)
    rapidbyte.run_pipeline(template, env=variables, state_path=state_path)


def _command(words: Sequence[str], environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(points)
    sys.argv = ["rapidbyte", *words]
    main()
