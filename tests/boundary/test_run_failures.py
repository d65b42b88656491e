"""What fails a run, and which of several errors is raised and recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, GOOD_SOURCE, MakeDocument, Run, recorded
from boundary.relay_guests import (
    destination_guest,
    endless_source_guest,
    failure,
    frame,
    moved,
    source_guest,
    whole_stream,
)
from rapidbyte.errors import (
    ConnectorCrashError,
    ConnectorNotFoundError,
    DataError,
    DocumentError,
    InternalError,
    NetworkError,
    RapidbyteError,
)
from rapidbyte.model import RunStatus


@pytest.mark.parametrize(
    ("source", "destination", "error", "code"),
    [
        pytest.param(
            source_guest([frame("schema"), frame("batch", 2)], failure("bad_row")),
            GOOD_DESTINATION,
            DataError,
            "bad_row",
            id="the source fails: its error, not the destination's abort",
        ),
        pytest.param(
            source_guest([frame("schema")], moved(0), before_answer="(unreachable)"),
            GOOD_DESTINATION,
            ConnectorCrashError,
            "unreachable",
            id="the source crashes",
        ),
        pytest.param(
            endless_source_guest(),
            destination_guest(None, moved(0), before_receiving="(unreachable)"),
            ConnectorCrashError,
            "unreachable",
            id="the destination crashes while the source is blocked",
        ),
        pytest.param(
            endless_source_guest(),
            destination_guest(None, moved(0), before_receiving="(return (call $ok))"),
            InternalError,
            "incomplete_stream",
            id="the destination returns before the end",
        ),
        pytest.param(
            source_guest([frame("schema"), frame("batch", 5)], moved(5)),
            GOOD_DESTINATION,
            InternalError,
            "incomplete_stream",
            id="the source never sends the end",
        ),
        pytest.param(
            source_guest([frame("schema"), frame("batch", 5), frame("end", 6)], moved(6)),
            GOOD_DESTINATION,
            InternalError,
            "refused",
            id="the end lies about the sums",
        ),
        pytest.param(
            source_guest([frame("batch", 5)], moved(5)), GOOD_DESTINATION, InternalError, "refused", id="no schema"
        ),
        pytest.param(
            source_guest([frame("schema", stream=1)], moved(0)),
            GOOD_DESTINATION,
            InternalError,
            "refused",
            id="a stream that is not running",
        ),
        pytest.param(
            source_guest(whole_stream(5), moved(4)), GOOD_DESTINATION, InternalError, "bad_result", id="rb_run lies"
        ),
        pytest.param(
            GOOD_SOURCE,
            destination_guest({"stream": 0, "rows": 6, "bytes": 40}, moved(6)),
            InternalError,
            "refused",
            id="a checkpoint of more than was delivered",
        ),
        pytest.param(
            GOOD_SOURCE,
            destination_guest({"stream": 0, "rows": 4, "bytes": 32}, moved(4)),
            InternalError,
            "incomplete_stream",
            id="a checkpoint of less than was delivered",
        ),
        pytest.param(
            GOOD_SOURCE, destination_guest(None, moved(5)), InternalError, "incomplete_stream", id="no checkpoint"
        ),
        pytest.param(
            source_guest([], moved(0), prepared=failure("no_such_table", "schema")),
            destination_guest(None, moved(0), prepare_body="(unreachable)"),
            RapidbyteError,
            "no_such_table",
            id="the source does not know a stream: the destination is never asked",
        ),
        pytest.param(
            source_guest([], moved(0), prepared={"ok": {"streams": []}}),
            GOOD_DESTINATION,
            InternalError,
            "bad_result",
            id="prepare forgets a stream",
        ),
        pytest.param(
            source_guest([], moved(0), prepared={"ok": {"streams": [{"name": 1}]}}),
            GOOD_DESTINATION,
            InternalError,
            "bad_result",
            id="prepare answers with another type",
        ),
    ],
)
def test_a_run_fails_with(
    run: Run, state_path: Path, source: bytes, destination: bytes, error: type[RapidbyteError], code: str
) -> None:
    with pytest.raises(error) as caught:
        run(source, destination)
    assert caught.value.code == code
    assert recorded(state_path) == (RunStatus.FAILED, code)


def test_a_source_without_progress_is_timed_out_and_its_error_wins(document: MakeDocument, state_path: Path) -> None:
    wait = "(drop (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1)))"
    values = document(
        source_guest([frame("schema")], failure("gave_up"), before_answer=wait), destination_guest(None, moved(0))
    )
    values["source"]["limits"] = {"timeout_seconds": 1}  # type: ignore[index]  # a document is values of any type
    with pytest.raises(NetworkError) as caught:
        rapidbyte.run_pipeline(values, state_path=state_path)
    assert caught.value.code == "timeout"
    assert "source test" in caught.value.message


def test_a_connector_of_the_wrong_kind_is_named(run: Run) -> None:
    with pytest.raises(DocumentError) as caught:
        run(GOOD_DESTINATION, GOOD_DESTINATION)
    (problem,) = caught.value.problems
    assert problem.path == "source.use"
    assert "is a destination, not a source" in problem.message


def test_a_missing_connector_file_is_named(document: MakeDocument, state_path: Path) -> None:
    values = dict(document(GOOD_SOURCE, GOOD_DESTINATION))
    values["source"] = {**values["source"], "use": "no/such.wasm"}  # type: ignore[dict-item]  # as above
    with pytest.raises(ConnectorNotFoundError, match=r"no/such\.wasm"):
        rapidbyte.run_pipeline(values, state_path=state_path)
