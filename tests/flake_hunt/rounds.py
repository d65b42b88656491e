"""A round: every file of tests in a process of its own, as the build runs them, several at once and in any order."""

from __future__ import annotations

import contextlib
import os
import queue
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from flake_hunt import shuffle
from flake_hunt.ground import Ground
from flake_hunt.outcome import FileOutcome, outcome_of

_SLOT_VARIABLE = "RAPIDBYTE_TEST_SLOT"
_TIMEOUT_S = 1800.0
_HAS_VERDICTS = (0, 1)  # of pytest: all passed, some failed


@dataclass(frozen=True, slots=True)
class Runner:
    """Runs files from `root`, and puts what pytest said of those that failed into a folder of `reports`."""

    root: Path
    settings: Path
    reports: Path
    ground: Ground
    processes: int
    running: set[subprocess.Popen[bytes]] = field(default_factory=set)

    def run(self, files: Sequence[str], seed: int, name: str) -> tuple[FileOutcome, ...]:
        """Run all of them once, in the order of the seed; `name` is that of the folder of reports."""
        reports = self.reports / name
        reports.mkdir(parents=True, exist_ok=True)
        order = random.Random(seed).sample(list(files), len(files))
        slots: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(self.processes):
            slots.put(slot)

        def run(file: str) -> FileOutcome:
            slot = slots.get()
            try:
                return self._run_file(file, seed, slot, reports)
            finally:
                slots.put(slot)

        pool = ThreadPoolExecutor(self.processes)
        try:
            return tuple(pool.map(run, order))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in tuple(self.running):
                _kill(process)

    def _run_file(self, file: str, seed: int, slot: int, reports: Path) -> FileOutcome:
        name = file.removesuffix(".py").strip("/").replace("/", "-")
        work, report, output = self.ground.work / name, reports / f"{name}.xml", reports / f"{name}.txt"
        options = ["-q", "-p", "no:cacheprovider", "-p", shuffle.__name__, f"{shuffle.OPTION}={seed}"]
        options += ["-c", str(self.settings), f"--rootdir={self.root}", f"--basetemp={work}", f"--junit-xml={report}"]
        with output.open("w", encoding="utf-8") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "pytest", *options, file],
                cwd=self.root,
                env={**os.environ, **self.ground.environment(), _SLOT_VARIABLE: str(slot)},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self.running.add(process)
            problem = _wait(process)
            self.running.discard(process)
        outcome = outcome_of(file, report, problem)
        shutil.rmtree(work, ignore_errors=True)
        if not outcome.failed:
            output.unlink()
        report.unlink(missing_ok=True)
        return outcome


def _wait(process: subprocess.Popen[bytes]) -> str | None:
    """Wait for pytest; say what it ended with where that is no verdict. One that does not end is killed."""
    try:
        code = process.wait(_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"did not end within {_TIMEOUT_S:.0f} s"
    return None if code in _HAS_VERDICTS else f"pytest ended with {code}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill pytest with all that it started in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
