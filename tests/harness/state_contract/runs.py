"""The history of runs, with what a dead process leaves, and several processes at once."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import datetime, timedelta

import pytest

from harness.python_path import PYTHON_PATH
from harness.state_contract.samples import END, START
from rapidbyte.errors import AuthError, Category, ErrorInfo, StateError
from rapidbyte.model import RunReport, RunStatus, StateSpec, StreamReport
from rapidbyte.state import RunRecord, StateKey, StateScope, open_state

STREAMS = (
    StreamReport("users", 3, 3, 120, 1, 0.5, 1),
    StreamReport("orders", 8, 4, 80, 1, 0.25, 1, rows_rejected=1, rows_filtered=3, lanes=2),
)

_WORKER = """
import sys
from datetime import datetime, timezone
from rapidbyte.model import RunReport, RunStatus, StateBackend, StateSpec
from rapidbyte.state import StateKey, StateScope, open_state
spec = StateSpec(StateBackend(sys.argv[1]), sys.argv[2])
mode, name = sys.argv[3:]
now = datetime.now(timezone.utc)
if mode == "hang":
    state = open_state(spec)
    state.runs.start(name, "p", now)
    print("started", flush=True)
    sys.stdin.read()
key = StateKey("p", StateScope.PIPELINE, "", "counter")
for number in range(10):
    with open_state(spec) as state:
        state.runs.start(f"{name}-{number}", "p", now)
        while True:
            count = state.connectors.get(key)
            if state.connectors.compare_and_swap(key, count, b"%d" % (int(count or b"0") + 1), now):
                break
        state.runs.finish(RunReport(f"{name}-{number}", "p", RunStatus.COMPLETED, 0.1, ()), now)
"""


def worker(spec: StateSpec, mode: str, name: str) -> subprocess.Popen[bytes]:
    """Start a process that uses the state: it starts a run and hangs, or it writes runs and counts them."""
    assert spec.connection is not None
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, spec.backend.value, spec.connection, mode, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": PYTHON_PATH},
    )


class RunsContract:
    """The tests of runs; a fixture `spec` names a state that does not exist yet."""

    def test_completed_run_is_remembered_with_its_streams(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.runs.start("r1", "nightly", START)
            assert state.runs.runs() == (RunRecord("r1", "nightly", RunStatus.RUNNING, START),)
            state.runs.finish(RunReport("r1", "nightly", RunStatus.COMPLETED, 2.0, STREAMS), END)
        with open_state(spec) as state:
            assert state.runs.runs() == (
                RunRecord("r1", "nightly", RunStatus.COMPLETED, START, END, 11, 7, 200, 1, 3, streams=STREAMS),
            )

    @pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
    def test_failed_run_is_remembered_with_its_reason(self, spec: StateSpec, status: RunStatus) -> None:
        with open_state(spec) as state:
            state.runs.start("r1", "nightly", START)
            state.runs.fail("r1", status, AuthError("Wrong password\0 for \ud800ada.", ErrorInfo("28P01")), END)
            assert state.runs.runs() == (
                RunRecord(
                    "r1",
                    "nightly",
                    status,
                    START,
                    END,
                    error_category=Category.AUTH,
                    error_code="28P01",
                    error_message="Wrong password\\0 for \\ud800ada.",
                ),
            )

    def test_runs_are_listed_newest_first_by_pipeline_and_limit(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            for number in range(4):
                name = "even" if number % 2 == 0 else "odd"
                state.runs.start(f"r{number}", name, START + timedelta(seconds=number // 2))
            assert [run.run_id for run in state.runs.runs()] == ["r3", "r2", "r1", "r0"]
            assert [run.run_id for run in state.runs.runs("even")] == ["r2", "r0"]
            assert [run.run_id for run in state.runs.runs(limit=1)] == ["r3"]
            assert state.runs.runs("none") == ()

    def test_times_of_other_zones_sort_by_the_moment(self, spec: StateSpec) -> None:
        tokyo = datetime.fromisoformat("2026-11-24T11:59:00+09:00")
        with open_state(spec) as state:
            state.runs.start("earlier", "p", tokyo)
            state.runs.start("later", "p", START)
            assert [(run.run_id, run.started_at) for run in state.runs.runs()] == [("later", START), ("earlier", tokyo)]

    def test_run_cannot_end_twice_or_without_a_start(self, spec: StateSpec) -> None:
        report = RunReport("r1", "p", RunStatus.COMPLETED, 1.0, ())
        with open_state(spec) as state:
            with pytest.raises(StateError, match="Run r1 is not running"):
                state.runs.finish(report, END)
            state.runs.start("r1", "p", START)
            state.runs.finish(report, END)
            with pytest.raises(StateError, match="Run r1 is not running"):
                state.runs.fail("r1", RunStatus.FAILED, AuthError("no"), END)
            assert state.runs.runs()[0].status is RunStatus.COMPLETED

    def test_the_last_run_that_came_to_its_end_is_known(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            assert state.runs.last_completed("p") is None
            for number, status in enumerate((RunStatus.COMPLETED, RunStatus.COMPLETED, RunStatus.FAILED)):
                state.runs.start(f"r{number}", "p", START + timedelta(seconds=number))
                if status is RunStatus.COMPLETED:
                    state.runs.finish(RunReport(f"r{number}", "p", status, 1.0, ()), END)
            assert state.runs.last_completed("p") == START + timedelta(seconds=1)

    def test_run_of_a_killed_process_is_interrupted_and_that_of_a_live_one_is_not(self, spec: StateSpec) -> None:
        with worker(spec, "hang", "dead") as dead, worker(spec, "hang", "live") as live:
            for process in (dead, live):
                assert process.stdout is not None
                assert process.stdout.readline() == b"started\n"
            dead.send_signal(signal.SIGKILL)
            dead.wait()
            with open_state(spec) as state:
                self.await_end_of_session()
                statuses = {run.run_id: run.status for run in state.runs.runs()}
            live.kill()
        assert statuses == {"dead": RunStatus.INTERRUPTED, "live": RunStatus.RUNNING}

    def await_end_of_session(self) -> None:
        """Wait until the backend knows that the killed process is gone; a file's lock is free at once."""

    def test_run_of_a_state_that_was_closed_too_early_is_interrupted(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.runs.start("r1", "p", START)
            state.runs.start("r2", "p", END)
            state.runs.fail("r2", RunStatus.FAILED, AuthError("no"), END)
        with open_state(spec) as state:
            assert [run.status for run in state.runs.runs()] == [RunStatus.FAILED, RunStatus.INTERRUPTED]

    def test_four_processes_use_one_state_from_its_first_moment(self, spec: StateSpec) -> None:
        workers = [worker(spec, "write", f"w{number}") for number in range(4)]
        assert [process.wait(60) for process in workers] == [0, 0, 0, 0]
        for process in workers:
            process.communicate()
        with open_state(spec) as state:
            runs = state.runs.runs(limit=100)
            counter = state.connectors.get(StateKey("p", StateScope.PIPELINE, "", "counter"))
        assert {run.run_id for run in runs} == {f"w{w}-{n}" for w in range(4) for n in range(10)}
        assert {run.status for run in runs} == {RunStatus.COMPLETED}
        assert counter == b"40"

    def test_close_is_idempotent_and_ends_use(self, spec: StateSpec) -> None:
        state = open_state(spec)
        state.close()
        state.close()
        with pytest.raises(StateError, match="was closed") as caught:
            state.runs.runs()
        assert caught.value.code == "state_closed"
