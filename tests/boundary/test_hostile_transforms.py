"""Transforms that do their worst: each ends its own run with a typed error, while another pipeline runs on."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, GOOD_SOURCE, MakeDocument
from boundary.relay_guests import (
    GIVE,
    STREAM,
    TAKE,
    endless_source_guest,
    failure,
    frame,
    identity_guest,
    moved,
    transform_guest,
)
from rapidbyte.errors import (
    CancelledRunError,
    ConnectorCrashError,
    ConnectorInvalidError,
    InternalError,
    NetworkError,
    RapidbyteError,
)

_ENDLESS = "(loop $for_ever (br $for_ever))"
_WAIT = "(drop (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1)))"
_GROW = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)"
_SEAL = "(local.set $f (call $frame_new (i64.const 8))) (drop (call $frame_seal (local.get $f)))"
_FLOOD = "(loop $more (br_if $more (i64.gt_s (call $frame_new (i64.const 8)) (i64.const 0)))) (unreachable)"


@pytest.fixture(autouse=True)
def neighbour(document: MakeDocument, tmp_path: Path) -> Iterator[None]:
    """Run a good pipeline in the same process, again and again, and once more after the other has ended."""
    home = tmp_path / "neighbour"
    home.mkdir()
    values = json.dumps(document(GOOD_SOURCE, GOOD_DESTINATION, transforms=[identity_guest(4, 5)]))
    for file in tmp_path.glob("*.wasm"):
        shutil.move(file, home)
    own = json.loads(values.replace(str(tmp_path), str(home)))
    written: list[int] = []
    is_over = threading.Event()

    def run() -> None:
        while not is_over.is_set():
            written.append(rapidbyte.run_pipeline(own, state_path=home / "state.db").rows_written)

    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(run)
        try:
            yield
            count, patience = len(written), time.monotonic() + 60
            while len(written) < count + 2 and not running.done() and time.monotonic() < patience:
                time.sleep(0.01)
        finally:
            is_over.set()
        running.result()
    assert len(written) >= count + 2
    assert set(written) == {5}


def _with_limits(values: Mapping[str, Any], **limits: object) -> Mapping[str, Any]:
    (transform,) = values["transforms"]
    return {**values, "transforms": [{**transform, "limits": limits}]}


@pytest.mark.parametrize(
    ("body", "error", "code"),
    [
        pytest.param("(unreachable)", ConnectorCrashError, "unreachable", id="traps"),
        pytest.param("(call $deeper)", ConnectorCrashError, "stack_overflow", id="recurses without end"),
        pytest.param("(call $proc_exit (i32.const 0))", ConnectorCrashError, "exit", id="exits"),
        pytest.param(_ENDLESS, ConnectorCrashError, "timeout", id="loops for ever"),
        pytest.param(
            f"{_WAIT} (return (call $failed))", NetworkError, "timeout", id="sleeps in the host past its deadline"
        ),
        pytest.param(_GROW, ConnectorCrashError, "memory_limit", id="grows without end"),
        pytest.param(
            "(drop (i64.load (i32.const -8)))", ConnectorCrashError, "memory_out_of_bounds", id="reads outside"
        ),
        pytest.param("(return (i64.const -1))", InternalError, "bad_result", id="answers with more than it has"),
        pytest.param(
            "(return (call $result (i32.const 131000) (i32.const 900)))",
            InternalError,
            "bad_pointer",
            id="answers from outside its memory",
        ),
        pytest.param(
            f"{_SEAL} (if (i32.eq (call $emit (local.get $f) (i32.const -8) (i32.const 8)) (i32.const -7)) "
            "(then (return (call $failed))))",
            InternalError,
            "told",
            id="sends metadata from outside its memory",
        ),
        pytest.param(_FLOOD, ConnectorCrashError, "unreachable", id="hoards frames"),
        pytest.param("(return (call $ok))", InternalError, "incomplete_stream", id="says ok and did nothing"),
    ],
)
@pytest.mark.parametrize("source", [GOOD_SOURCE, endless_source_guest()], ids=["short", "endless"])
def test_it_ends_its_own_run_with_a_typed_error(
    document: MakeDocument, tmp_path: Path, source: bytes, body: str, error: type[RapidbyteError], code: str
) -> None:
    transform = transform_guest(
        [TAKE, GIVE],
        moved(0),
        before_answer=body,
        failed=failure("told", "internal"),
    )
    values = _with_limits(
        document(source, GOOD_DESTINATION, transforms=[transform]),
        max_memory="4mb",
        timeout_seconds=1 if code == "timeout" else 60,
    )
    with pytest.raises(error) as caught:
        rapidbyte.run_pipeline(values, state_path=tmp_path / "state.db")
    assert caught.value.code == code
    assert ("connector", "transform test") in caught.value.info.details or "transform test" in caught.value.message


@pytest.mark.parametrize("body", [_ENDLESS, _WAIT], ids=["in its code", "in the host"])
def test_a_cancelled_run_does_not_wait_for_it(document: MakeDocument, tmp_path: Path, body: str) -> None:
    transform = transform_guest([TAKE, GIVE], moved(0), before_answer=body)
    values = _with_limits(
        document(endless_source_guest(), GOOD_DESTINATION, transforms=[transform]), timeout_seconds=60
    )
    cancel = rapidbyte.Cancellation()
    started: list[float] = []

    def cancel_soon(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamProgress) and event.rows_read and not started:
            started.append(time.monotonic())
            cancel.cancel()

    with pytest.raises(CancelledRunError):
        rapidbyte.run_pipeline(values, state_path=tmp_path / "state.db", cancel=cancel, on_event=cancel_soon)
    assert time.monotonic() - started[0] < 10  # a grace of a second, on a machine that is busy


def test_one_of_another_abi_is_refused_before_anything_starts(document: MakeDocument, tmp_path: Path) -> None:
    values = document(GOOD_SOURCE, GOOD_DESTINATION, transforms=[transform_guest([], moved(0), abi="1.3")])
    with pytest.raises(ConnectorInvalidError) as caught:
        rapidbyte.run_pipeline(values, state_path=tmp_path / "state.db")
    assert caught.value.code == "abi_version"


def test_rows_that_it_makes_up_never_reach_the_destination(document: MakeDocument, tmp_path: Path) -> None:
    steps: list[str | Mapping[str, object]] = [TAKE, GIVE, TAKE, GIVE, frame("batch", 1_000_000)]
    values = document(GOOD_SOURCE, GOOD_DESTINATION, transforms=[transform_guest(steps, moved(5))])
    events: list[rapidbyte.Event] = []
    with pytest.raises(InternalError) as caught:
        rapidbyte.run_pipeline(values, state_path=tmp_path / "state.db", on_event=events.append)
    assert caught.value.code == "refused"
    assert {event.rows_written for event in events if isinstance(event, rapidbyte.StreamProgress)} <= {0}


def test_a_plan_for_other_columns_is_of_the_transforms_making(document: MakeDocument, tmp_path: Path) -> None:
    wrong = {"ok": {"streams": [{**STREAM, "columns": [{"name": "id"}]}]}}
    values = document(GOOD_SOURCE, GOOD_DESTINATION, transforms=[transform_guest([], moved(0), prepared=wrong)])
    with pytest.raises(InternalError) as caught:
        rapidbyte.run_pipeline(values, state_path=tmp_path / "state.db")
    assert caught.value.code == "bad_result"
    assert "streams.0.columns.0.type" in caught.value.message
