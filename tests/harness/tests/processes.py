"""Starting, ending and killing the workers of these tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.python_path import PYTHON_PATH
from harness.shared_server import LINGER_VARIABLE
from harness.waiting import PATIENCE_S


@dataclass(frozen=True, slots=True)
class Worker:
    """A running worker and what it reported."""

    process: subprocess.Popen[str]
    directory: Path
    guard_pid: int
    dsn: str
    schema: str
    orphans: tuple[str, ...]

    def leave(self) -> None:
        """Let it drop its schema, give its lease back and end."""
        _, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=PATIENCE_S)

    def postmaster_pid(self) -> int:
        """Give the process id of its server."""
        return int((self.directory / "data" / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])


@contextmanager
def workers(folder: Path, count: int, linger_s: float = 0.0) -> Iterator[list[Worker]]:
    """Start `count` workers at once on a lease folder; they are killed at the end."""
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH, LINGER_VARIABLE: str(linger_s)}
    command = [sys.executable, "-m", "harness.tests.worker", str(folder)]
    with ExitStack() as stack:
        processes = []
        for _ in range(count):
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
            )
            processes.append(stack.enter_context(process))
            stack.callback(process.kill)
        yield [_reported(process) for process in processes]


def _reported(process: subprocess.Popen[str]) -> Worker:
    assert process.stdout is not None
    report = json.loads(process.stdout.readline())
    return Worker(
        process,
        Path(report["directory"]),
        report["guard_pid"],
        report["dsn"],
        report["schema"],
        tuple(report["orphans"]),
    )
