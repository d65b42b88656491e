"""The history of runs: what is recorded, what a dead process leaves, and several processes at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rapidbyte.errors import AuthError, Category, ErrorInfo, StateError
from rapidbyte.model import RunReport, RunStatus, StreamReport
from rapidbyte.state import RunRecord, RunStore, default_path

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
END = START + timedelta(seconds=2)
STREAMS = (
    StreamReport("users", 3, 3, 120, 1, 0.5, 1),
    StreamReport("orders", 4, 4, 80, 1, 0.25, 1),
)

WORKER = """
import os, sys, time
from datetime import datetime, timezone
from pathlib import Path
from rapidbyte.model import RunReport, RunStatus
from rapidbyte.state import RunStore
path, mode, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
now = datetime.now(timezone.utc)
if mode == "hang":
    store = RunStore.open(path)
    store.start(name, "p", now)
    print("started", flush=True)
    sys.stdin.read()
for number in range(20):
    with RunStore.open(path) as store:
        store.start(f"{name}-{number}", "p", now)
        store.finish(RunReport(f"{name}-{number}", "p", RunStatus.COMPLETED, 0.1, ()), now)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "state.db"


def worker(path: Path, mode: str, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path), mode, name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
    )


def test_completed_run_is_remembered_with_its_streams(path: Path) -> None:
    with RunStore.open(path) as store:
        store.start("r1", "nightly", START)
        assert store.runs() == (RunRecord("r1", "nightly", RunStatus.RUNNING, START),)
        store.finish(RunReport("r1", "nightly", RunStatus.COMPLETED, 2.0, STREAMS), END)
    with RunStore.open(path) as store:
        assert store.runs() == (
            RunRecord("r1", "nightly", RunStatus.COMPLETED, START, END, 7, 7, 200, streams=STREAMS),
        )


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.CANCELLED])
def test_failed_run_is_remembered_with_its_reason(path: Path, status: RunStatus) -> None:
    with RunStore.open(path) as store:
        store.start("r1", "nightly", START)
        store.fail("r1", status, AuthError("Wrong password for ada.", ErrorInfo("28P01")), END)
        assert store.runs() == (
            RunRecord(
                "r1",
                "nightly",
                status,
                START,
                END,
                error_category=Category.AUTH,
                error_code="28P01",
                error_message="Wrong password for ada.",
            ),
        )


def test_runs_are_listed_newest_first_by_pipeline_and_limit(path: Path) -> None:
    with RunStore.open(path) as store:
        for number in range(4):
            store.start(f"r{number}", "even" if number % 2 == 0 else "odd", START + timedelta(seconds=number))
        assert [run.run_id for run in store.runs()] == ["r3", "r2", "r1", "r0"]
        assert [run.run_id for run in store.runs("even")] == ["r2", "r0"]
        assert [run.run_id for run in store.runs(limit=1)] == ["r3"]
        assert store.runs("none") == ()


def test_times_of_other_zones_sort_by_the_moment(path: Path) -> None:
    tokyo = datetime.fromisoformat("2026-11-24T11:59:00+09:00")
    with RunStore.open(path) as store:
        store.start("earlier", "p", tokyo)
        store.start("later", "p", START)
        assert [(run.run_id, run.started_at) for run in store.runs()] == [("later", START), ("earlier", tokyo)]


def test_run_cannot_end_twice_or_without_a_start(path: Path) -> None:
    report = RunReport("r1", "p", RunStatus.COMPLETED, 1.0, ())
    with RunStore.open(path) as store:
        with pytest.raises(StateError, match="Run r1 is not running"):
            store.finish(report, END)
        store.start("r1", "p", START)
        store.finish(report, END)
        with pytest.raises(StateError, match="Run r1 is not running"):
            store.fail("r1", RunStatus.FAILED, AuthError("no"), END)
        assert store.runs()[0].status is RunStatus.COMPLETED


def test_run_of_a_killed_process_is_interrupted_and_that_of_a_live_one_is_not(path: Path) -> None:
    with worker(path, "hang", "dead") as dead, worker(path, "hang", "live") as live:
        for process in (dead, live):
            assert process.stdout is not None
            assert process.stdout.readline() == b"started\n"
        dead.send_signal(signal.SIGKILL)
        dead.wait()
        with RunStore.open(path) as store:
            statuses = {run.run_id: run.status for run in store.runs()}
        live.kill()
    assert statuses == {"dead": RunStatus.INTERRUPTED, "live": RunStatus.RUNNING}


def test_run_of_a_store_that_was_closed_too_early_is_interrupted(path: Path) -> None:
    with RunStore.open(path) as store:
        store.start("r1", "p", START)
    with RunStore.open(path) as store:
        assert store.runs() == (RunRecord("r1", "p", RunStatus.INTERRUPTED, START),)
    assert list(path.with_name("state.db-live").iterdir()) == []


def test_four_processes_write_one_file_from_its_first_moment(path: Path) -> None:
    workers = [worker(path, "write", f"w{number}") for number in range(4)]
    assert [process.wait(60) for process in workers] == [0, 0, 0, 0]
    for process in workers:
        process.communicate()
    with RunStore.open(path) as store:
        runs = store.runs(limit=100)
    assert {run.run_id for run in runs} == {f"w{w}-{n}" for w in range(4) for n in range(20)}
    assert {run.status for run in runs} == {RunStatus.COMPLETED}


def test_close_is_idempotent_and_ends_use(path: Path) -> None:
    store = RunStore.open(path)
    store.close()
    store.close()
    with pytest.raises(StateError, match="was closed"):
        store.runs()


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"XDG_STATE_HOME": "/srv/state", "HOME": "/home/ada"}, "/srv/state/rapidbyte/state.db"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/ada"}, "/home/ada/.local/state/rapidbyte/state.db"),
        ({"HOME": "/home/ada"}, "/home/ada/.local/state/rapidbyte/state.db"),
    ],
)
def test_default_path_follows_the_xdg_specification(env: dict[str, str], expected: str) -> None:
    assert default_path(env) == Path(expected)
