"""Runs that end in the middle, each in a process of its own: forked from one that has imported what a run needs.

Starting Python and importing takes longer than such a run. The engine itself is imported by the fork, for it reads at
that moment where it is to die.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import rapidbyte
from harness.cli import Ended
from harness.python_path import PYTHON_PATH
from harness.waiting import PATIENCE_S

_PRELOADED = ("rapidbyte.config", "rapidbyte.state", "rapidbyte.wasm")
_SERVE = f"import {', '.join(_PRELOADED)}; from {__name__} import serve; serve()"


class ForkServer:
    """Use it through `with`; it runs one pipeline at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            env={**os.environ, "PYTHONPATH": PYTHON_PATH},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, template: str, variables: Mapping[str, str], state_path: Path) -> Ended:
        """Run a pipeline in a process of its own, with `variables` in its environment, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([template, dict(variables), str(state_path)]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks the runs has ended; what it said is on standard error"
        code, said = json.loads(answer)
        return Ended(code, "", said)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()


def serve() -> None:
    """Fork for each line of standard input, and answer with a line: how the fork ended, and what it had to say."""
    for line in sys.stdin:
        template, variables, state_path = json.loads(line)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
            child = os.fork()
            if child == 0:
                os.dup2(said.fileno(), sys.stderr.fileno())
                _run(template, variables, Path(state_path))
            _, status = os.waitpid(child, 0)
            said.seek(0)
            print(json.dumps([os.waitstatus_to_exitcode(status), said.read()]), flush=True)


def _run(template: str, variables: Mapping[str, str], state_path: Path) -> None:
    """Run a pipeline and end the process, whatever happens."""
    code = 1
    signal.alarm(int(PATIENCE_S))
    try:
        os.environ.update(variables)
        rapidbyte.run_pipeline(Path(template), env=variables, state_path=state_path)
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)
