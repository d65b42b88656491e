"""Attempts of scripted guests: which failures are tried again, and what a receipt saves from being moved."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, GOOD_SOURCE, MakeDocument, Run
from boundary.relay_guests import destination_guest, failure, frame, moved, source_guest
from rapidbyte.errors import InternalError, NetworkError
from rapidbyte.model import StateSpec
from rapidbyte.state import open_state

_CHECKPOINT = {"stream": 0, "rows": 5, "bytes": 40}
_RECEIPT = {"run_id": "another", "position": None, "rows": 5, "bytes": 40, "is_complete": True, "is_finished": False}
_SAFE = {"retryable": True, "safe_to_retry": True, "retry_after_ms": 1}
_UNSAFE = {"retryable": True, "safe_to_retry": False, "retry_after_ms": 1}


def _failing_source(**info: object) -> bytes:
    return source_guest([frame("schema")], failure("lost", "transient_network", **info))


@pytest.mark.parametrize(
    ("info", "resumed", "retries"),
    [
        pytest.param(_SAFE, None, 2, id="nothing durable was done"),
        pytest.param(_UNSAFE, None, 0, id="something may be durable, and no receipt tells"),
        pytest.param(_UNSAFE, {"ok": {"receipt": None}}, 2, id="something may be durable, and receipts tell"),
        pytest.param({"retryable": False}, {"ok": {"receipt": None}}, 0, id="no attempt mends it"),
    ],
)
def test_a_stream_is_tried_again_where_that_is_safe(
    document: MakeDocument,
    state_path: Path,
    info: Mapping[str, object],
    resumed: Mapping[str, object] | None,
    retries: int,
) -> None:
    events: list[rapidbyte.Event] = []
    destination = destination_guest(_CHECKPOINT, moved(5), resumed=resumed)
    with pytest.raises(NetworkError) as caught:
        rapidbyte.run_pipeline(
            document(_failing_source(**info), destination, max_retries=2), state_path=state_path, on_event=events.append
        )
    assert caught.value.code == "lost"
    said = [event.message for event in events if isinstance(event, rapidbyte.LogLine) and event.connector == "engine"]
    assert said == [
        f"t failed: The test says lost. Attempt {attempt} of 3 begins in 0.001 s." for attempt in range(2, 2 + retries)
    ]


def test_a_destination_without_the_optional_calls_moves_rows(run: Run) -> None:
    assert run(GOOD_SOURCE, GOOD_DESTINATION).rows_written == 5


def test_what_an_unfinished_run_appended_is_not_moved_again(run: Run) -> None:
    source = source_guest([], moved(0), before_answer="(unreachable)")
    destination = destination_guest(
        None, moved(0), before_receiving="(unreachable)", resumed={"ok": {"receipt": _RECEIPT}}
    )
    (stream,) = run(source, destination).streams
    assert (stream.rows_read, stream.rows_written, stream.attempts) == (0, 0, 1)


@pytest.mark.parametrize(
    "change", [{"rows": -1}, {"rows": "5"}, {"is_complete": 1}, {"position": []}, {"run_id": None}]
)
def test_a_receipt_that_cannot_be_read_is_a_fault_of_the_connector(run: Run, change: Mapping[str, object]) -> None:
    destination = destination_guest(_CHECKPOINT, moved(5), resumed={"ok": {"receipt": {**_RECEIPT, **change}}})
    with pytest.raises(InternalError) as caught:
        run(GOOD_SOURCE, destination)
    assert caught.value.code == "bad_result"


def _rejecting(row: Mapping[str, object], answer: Mapping[str, object]) -> bytes:
    """Return a destination that rejects one row before it takes the rest, and fails with `refused` if it may not."""
    document = {"stream": 0, "category": "data", "code": "bad", "reason": "Bad.", "row": row}
    text = json.dumps(document).replace('"', '\\"')
    refused = json.dumps(failure("refused", "internal")).replace('"', '\\"')
    length = len(json.dumps(failure("refused", "internal")))
    return destination_guest(
        _CHECKPOINT,
        answer,
        before_receiving=f"""(if (i32.ne (call $reject (i32.const 0) (i32.const {len(json.dumps(document))}))
          (i32.const 0)) (then (return (call $result (i32.const 400) (i32.const {length})))))""",
        fields=f'(data (i32.const 0) "{text}") (data (i32.const 400) "{refused}")',
    )


@pytest.mark.parametrize(("policy", "kept"), [("skip", 0), ("dlq", 1)])
def test_a_rejected_row_is_counted_and_kept_where_the_policy_says_so(
    document: MakeDocument, state_path: Path, policy: str, kept: int
) -> None:
    values = document(GOOD_SOURCE, _rejecting({"id": "7"}, moved(5)))
    values["destination"]["on_data_error"] = policy  # type: ignore[index]  # a document is values of any type
    (stream,) = rapidbyte.run_pipeline(values, state_path=state_path).streams
    assert (stream.rows_read, stream.rows_written, stream.rows_rejected) == (5, 4, 1)
    with open_state(StateSpec(connection=str(state_path))) as state:
        rows = [stored.letter.row for stored in state.dead_letters.list()]
    assert rows == [{"id": "7"}] * kept


@pytest.mark.parametrize(("policy", "row"), [("fail", {"id": "7"}), ("skip", {"id": 7})])
def test_a_row_that_may_not_be_rejected_is_refused(
    document: MakeDocument, state_path: Path, policy: str, row: Mapping[str, object]
) -> None:
    values = document(GOOD_SOURCE, _rejecting(row, moved(5)))
    values["destination"]["on_data_error"] = policy  # type: ignore[index]  # as above
    with pytest.raises(InternalError) as caught:
        rapidbyte.run_pipeline(values, state_path=state_path)
    assert caught.value.code == "refused"
