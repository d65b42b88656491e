"""What every backend of the state must do; the tests of each backend inherit it and give a `spec`.

The history of runs with what a dead process leaves, the dead-letter queue, what connectors keep, and several processes
at once.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from harness.python_path import PYTHON_PATH
from rapidbyte.errors import AuthError, Category, DeadLettersFullError, ErrorInfo, StateError
from rapidbyte.model import RunReport, RunStatus, StateSpec, StreamReport
from rapidbyte.state import (
    DeadLetter,
    LastCommit,
    RejectedAt,
    RunRecord,
    Selection,
    State,
    StateKey,
    StateScope,
    StoredLetter,
    Uncommitted,
    open_state,
)

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
END = START + timedelta(seconds=2)
STREAMS = (
    StreamReport("users", 3, 3, 120, 1, 0.5, 1),
    StreamReport("orders", 8, 4, 80, 1, 0.25, 1, rows_rejected=1, rows_filtered=3, lanes=2),
)
LETTER = DeadLetter(
    pipeline="nightly",
    stream="users",
    run_id="r1",
    rejected_at=RejectedAt.DESTINATION,
    category=Category.DATA,
    code="23502",
    reasons=('null value in column "name"', "größe \0 東京 \ud800"),
    row={"id": 7, "name": None, "note": "a\0b \U0001f680", "tags": ["x", {"y": 1.5}]},
    raw="7\t\\N\t\udcff",
    unreadable=("note",),
    uncommitted=Uncommitted(4096, "r0"),
)
KEY = StateKey("nightly", StateScope.STREAM, "users", "slot")

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


def replay(state: State, letter_id: int) -> None:
    """Note that a letter was replayed."""
    stored = state.dead_letters.get(letter_id)
    assert stored is not None
    state.replays.claim([letter_id], "a replay")
    assert state.replays.settle(stored.letter.pipeline, stored.letter.stream, "a replay", END) == 1


class StateContract:
    """The tests; a fixture `spec` names a state that does not exist yet."""

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

    def test_dead_letter_is_kept_as_it_was_put(self, spec: StateSpec) -> None:
        plain = replace(LETTER, raw=None, row={}, unreadable=(), uncommitted=None)
        with open_state(spec) as state:
            state.dead_letters.put([LETTER, plain], START)
        with open_state(spec) as state:
            first, second = state.dead_letters.list()
            assert first == StoredLetter(first.letter_id, LETTER, START)
            assert second == StoredLetter(second.letter_id, plain, START)
            assert state.dead_letters.get(first.letter_id) == first
            assert state.dead_letters.get(second.letter_id + 1) is None

    def test_letters_are_selected_and_paged(self, spec: StateSpec) -> None:
        letters = [replace(LETTER, stream=stream, code=str(n)) for n in range(3) for stream in ("users", "orders")]
        with open_state(spec) as state:
            queue = state.dead_letters
            queue.put(letters, START)
            queue.put([replace(LETTER, pipeline="hourly", run_id="r2")], START)
            users = queue.list(Selection("nightly", "users"))
            assert [stored.letter.code for stored in users] == ["0", "1", "2"]
            assert queue.list(Selection("nightly", "users"), limit=2) == users[:2]
            assert queue.list(Selection("nightly", "users"), after=users[1].letter_id) == users[2:]
            ids = tuple(stored.letter_id for stored in users)
            assert queue.ids(Selection("nightly", "users")) == ids
            assert queue.ids(Selection("nightly", "users"), 1, ids[0]) == ids[1:2]
            assert [stored.letter.pipeline for stored in queue.list(Selection(run_id="r2"))] == ["hourly"]
            counts = [queue.count(wanted) for wanted in (Selection(), Selection("nightly"), Selection(stream="none"))]
            assert counts == [7, 6, 0]

    @pytest.mark.parametrize(
        ("last", "kept"),
        [
            pytest.param(None, ["covered", "twice", "twice", "after", "other run"], id="the table was dropped"),
            pytest.param(LastCommit("r0", 900, True), ["other run"], id="the run committed nothing"),
            pytest.param(LastCommit("r1", 200, False), ["covered", "other run"], id="a commit after the first of them"),
            pytest.param(
                LastCommit("r1", 200, True), ["covered", "twice", "twice", "after", "other run"], id="the end of it"
            ),
            pytest.param(LastCommit("r9", 1, True), ["covered", "twice", "twice", "after", "other run"], id="another"),
        ],
    )
    def test_letters_without_their_commit_go_and_the_others_stay(
        self, spec: StateSpec, last: LastCommit | None, kept: list[str]
    ) -> None:
        places = {"covered": 199, "twice": 200, "after": 201}
        letters = [
            replace(LETTER, code=code, uncommitted=Uncommitted(places[code], "r0"))
            for code in ("covered", "twice", "twice", "after")
        ]
        others = [replace(LETTER, stream="orders"), replace(LETTER, pipeline="hourly")]
        committed = replace(LETTER, code="other run", run_id="r0", uncommitted=None)
        with open_state(spec) as state:
            state.dead_letters.put([*letters, *others, committed], START)
            state.dead_letters.settle("nightly", "users", last)
            left = [stored.letter for stored in state.dead_letters.list(Selection("nightly", "users"))]
            assert state.dead_letters.count() == len(left) + len(others)
        assert [letter.code for letter in left] == kept
        assert {letter.uncommitted for letter in left} == {None}

    def test_letters_of_a_stream_without_any_receipt_go_when_it_has_none(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.dead_letters.put([replace(LETTER, uncommitted=Uncommitted(0)), LETTER], START)
            state.dead_letters.settle("nightly", "users", None)
            assert [stored.letter for stored in state.dead_letters.list()] == [replace(LETTER, uncommitted=None)]

    def test_a_run_confirms_its_letters_and_those_of_the_run_it_repeats_go(self, spec: StateSpec) -> None:
        of_runs = [replace(LETTER, run_id=run_id, uncommitted=None) for run_id in ("r0", "r1", "r1")]
        with open_state(spec) as state:
            queue = state.dead_letters
            queue.put([*of_runs, replace(LETTER, run_id="r2"), replace(LETTER, run_id="r2", stream="orders")], START)
            replay(state, queue.list()[1].letter_id)
            queue.confirm("nightly", "users", "r2", "r1")
            kept = [(stored.letter.run_id, stored.letter.uncommitted is None) for stored in queue.list()]
        assert kept == [("r0", True), ("r1", True), ("r2", True), ("r2", False)]

    def test_an_attempt_takes_back_what_its_run_has_not_committed(self, spec: StateSpec) -> None:
        others = [replace(LETTER, run_id="r2"), replace(LETTER, stream="orders"), replace(LETTER, uncommitted=None)]
        with open_state(spec) as state:
            state.dead_letters.put([LETTER, *others], START)
            state.dead_letters.withdraw("nightly", "users", "r1")
            assert [stored.letter for stored in state.dead_letters.list()] == others

    def test_letters_of_a_replay_wait_no_longer_once_it_is_committed(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            queue, replays = state.dead_letters, state.replays
            queue.put([replace(LETTER, code=str(n)) for n in range(3)], START)
            queue.put([replace(LETTER, stream="orders"), replace(LETTER, pipeline="hourly", stream="more")], START)
            first, second, third, other, _ = (stored.letter_id for stored in queue.list())
            assert replays.streams("nightly") == ("orders", "users")
            assert replays.claim([first, third, third + 99], "p1") == {first, third}
            assert replays.claim([other], "p1") == {other}
            claimed = [stored.replay_id for stored in queue.list(Selection("nightly", is_waiting=True))]
            assert claimed == ["p1", None, "p1", "p1"]
            assert replays.settle("nightly", "users", "p1", END) == 2
            assert replays.settle("nightly", "users", "p1", END) == 0
            assert replays.claim([first, second], "p2") == {second}
            assert [stored.letter_id for stored in queue.list(Selection("nightly", "users", None, True))] == [second]
            replayed = queue.list(Selection(is_waiting=False))
            assert [(stored.replayed_at, stored.replay_id) for stored in replayed] == [(END, None)] * 2
            assert replays.settle("nightly", "orders", "p1", END) == 1
            assert replays.streams("nightly") == ("users",)

    @pytest.mark.parametrize("committed", [None, "p0"])
    def test_letters_of_a_replay_without_its_commit_wait_as_before(
        self, spec: StateSpec, committed: str | None
    ) -> None:
        with open_state(spec) as state:
            state.dead_letters.put([LETTER], START)
            before = state.dead_letters.list()
            state.replays.claim([before[0].letter_id], "p1")
            assert state.replays.settle("nightly", "users", committed, END) == 0
            assert state.dead_letters.list() == before

    def test_row_that_is_refused_again_waits_with_its_new_reason(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.dead_letters.put([replace(LETTER, rejected_at=RejectedAt.SOURCE)], START)
            (before,) = state.dead_letters.list()
            state.replays.claim([before.letter_id], "p1")
            state.replays.reject(before.letter_id, Category.SCHEMA, "42703", ("No such column.",))
            assert state.replays.settle("nightly", "users", "p1", END) == 0
            letter = replace(LETTER, category=Category.SCHEMA, code="42703", reasons=("No such column.",))
            assert state.dead_letters.list() == (replace(before, letter=letter),)

    def test_the_last_run_that_came_to_its_end_is_known(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            assert state.runs.last_completed("p") is None
            for number, status in enumerate((RunStatus.COMPLETED, RunStatus.COMPLETED, RunStatus.FAILED)):
                state.runs.start(f"r{number}", "p", START + timedelta(seconds=number))
                if status is RunStatus.COMPLETED:
                    state.runs.finish(RunReport(f"r{number}", "p", status, 1.0, ()), END)
            assert state.runs.last_completed("p") == START + timedelta(seconds=1)

    def test_deleted_letters_are_gone(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            queue = state.dead_letters
            queue.put([replace(LETTER, code=str(n)) for n in range(4)], START)
            queue.put([replace(LETTER, pipeline="hourly")], START)
            first, *rest = (stored.letter_id for stored in queue.list(Selection("nightly")))
            assert queue.delete([first, first]) == 1
            assert [stored.letter_id for stored in queue.list(Selection("nightly"))] == rest
            assert queue.delete_all(Selection("nightly")) == 3
            assert [stored.letter.pipeline for stored in queue.list()] == ["hourly"]

    def test_full_queue_refuses_all_of_a_put_and_says_so(self, spec: StateSpec) -> None:
        letters = [replace(LETTER, code=str(n)) for n in range(4)]
        with open_state(replace(spec, max_dead_letters=3)) as state:
            queue = state.dead_letters
            queue.put(letters[:2], START)
            with pytest.raises(
                DeadLettersFullError, match=r"3 rows may wait in .*, and 1 more were rejected"
            ) as caught:
                queue.put(letters[2:], START)
            assert (caught.value.code, caught.value.category) == ("dlq_full", Category.DATA)
            assert [stored.letter.code for stored in queue.list()] == ["0", "1"]
            queue.put(letters[2:3], START)
            queue.put([replace(LETTER, pipeline="hourly")], START)
            assert queue.count() == 4

    def test_replayed_letters_give_way_to_new_ones(self, spec: StateSpec) -> None:
        letters = [replace(LETTER, code=str(n)) for n in range(4)]
        with open_state(replace(spec, max_dead_letters=3)) as state:
            queue = state.dead_letters
            queue.put(letters[:3], START)
            replay(state, queue.list()[0].letter_id)
            queue.put(letters[3:], END)
            assert [stored.letter.code for stored in queue.list()] == ["1", "2", "3"]

    def test_letters_come_from_several_threads(self, spec: StateSpec) -> None:
        with open_state(spec) as state, ThreadPoolExecutor(4) as pool:
            for number in range(20):
                pool.submit(state.dead_letters.put, [replace(LETTER, code=str(number))], START)
            pool.shutdown()
            positions = {stored.letter.code for stored in state.dead_letters.list()}
        assert positions == {str(number) for number in range(20)}

    def test_value_of_a_connector_is_kept_until_it_is_reset(self, spec: StateSpec) -> None:
        others = (
            replace(KEY, owner="orders"),
            StateKey("nightly", StateScope.PIPELINE, "", "slot"),
            StateKey("nightly", StateScope.CONNECTOR, "source postgres", "slot"),
            replace(KEY, pipeline="hourly"),
        )
        with open_state(spec) as state:
            for key in (KEY, *others):
                assert state.connectors.get(key) is None
                state.connectors.put(key, b"\0\xff" + key.owner.encode(), START)
            state.connectors.put(KEY, b"", END)
        with open_state(spec) as state:
            kept = state.connectors
            assert [(value.key, value.value, value.updated_at) for value in kept.list("nightly")] == [
                (others[2], b"\0\xffsource postgres", START),
                (others[1], b"\0\xff", START),
                (others[0], b"\0\xfforders", START),
                (KEY, b"", END),
            ]
            assert kept.reset("nightly", "users") == 1
            assert kept.get(KEY) is None
            assert kept.reset("nightly") == 3
            assert [value.key for value in kept.list()] == [others[3]]

    def test_value_is_swapped_only_for_the_one_that_is_expected(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            kept = state.connectors
            assert not kept.compare_and_swap(KEY, b"0", b"1", START)
            assert kept.compare_and_swap(KEY, None, b"1", START)
            assert not kept.compare_and_swap(KEY, None, b"2", START)
            assert not kept.compare_and_swap(KEY, b"0", b"2", START)
            assert kept.compare_and_swap(KEY, b"1", b"2", START)
            assert kept.get(KEY) == b"2"
            assert kept.compare_and_swap(KEY, b"2", None, START)
            assert kept.get(KEY) is None

    def test_value_over_the_limit_is_refused(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.connectors.put(KEY, bytes(1024 * 1024), START)
            for write in (
                lambda value: state.connectors.put(KEY, value, START),
                lambda value: state.connectors.compare_and_swap(KEY, None, value, START),
            ):
                with pytest.raises(StateError, match="at most 1048576") as caught:
                    write(bytes(1024 * 1024 + 1))
                assert caught.value.code == "too_large"
