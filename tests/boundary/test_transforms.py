"""Transforms: every row is given on, filtered or rejected, and a lie about it is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, GOOD_SOURCE, MakeDocument, Run
from boundary.relay_guests import (
    GIVE,
    STREAM,
    TAKE,
    destination_guest,
    endless_source_guest,
    failure,
    frame,
    identity_guest,
    moved,
    rejection,
    source_guest,
    stretched,
    transform_guest,
)
from rapidbyte.errors import ConnectorCrashError, DataError, InternalError, RapidbyteError
from rapidbyte.model import MIB, CheckStatus, StateSpec
from rapidbyte.state import RejectedAt, open_state
from rapidbyte.wasm.abi import MAX_REJECTION_BYTES

_IDENTITY = identity_guest(4, 5)  # of the good source: a schema, two batches, an end
_SCHEMA = (TAKE, GIVE)
_BAD_ROW = rejection(["Too short.", "Too old."], id="7", name=None)


def _destination(rows: int, **options: Any) -> bytes:
    return destination_guest({"stream": 0, "rows": rows, "bytes": 40}, moved(rows), **options)


def _ending(rows: int, **changes: Any) -> tuple[str | Mapping[str, object], ...]:
    """Return the steps that take the end and send one of a stream whose payload all went on."""
    return TAKE, frame("end", rows, bytes=40, **changes)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_what_transforms_give_on_arrives(run: Run, length: int) -> None:
    (stream,) = run(GOOD_SOURCE, GOOD_DESTINATION, transforms=[_IDENTITY] * length).streams
    assert (stream.rows_read, stream.rows_written, stream.bytes_read, stream.batches) == (5, 5, 40, 2)
    assert (stream.rows_filtered, stream.rows_rejected) == (0, 0)


def test_rows_that_a_chain_leaves_out_are_counted(run: Run) -> None:
    first = transform_guest(
        [*_SCHEMA, TAKE, TAKE, frame("batch", 4, bytes=40, filtered=1), *_ending(4, filtered=1)], moved(4)
    )
    second = transform_guest(
        [*_SCHEMA, TAKE, frame("batch", 1, bytes=40, filtered=3), *_ending(1, filtered=3)], moved(1)
    )
    (stream,) = run(GOOD_SOURCE, _destination(1), transforms=[first, second]).streams
    assert (stream.rows_read, stream.rows_written, stream.rows_filtered, stream.rows_rejected) == (5, 1, 4, 0)


@pytest.mark.parametrize(("policy", "kept"), [("skip", 0), ("dlq", 1)])
def test_a_rejected_row_follows_the_policy_with_all_of_its_reasons(
    run: Run, state_path: Path, policy: str, kept: int
) -> None:
    steps = [*_SCHEMA, TAKE, TAKE, _BAD_ROW, frame("batch", 4, bytes=40), *_ending(4)]
    report = run(GOOD_SOURCE, _destination(4), transforms=[transform_guest(steps, moved(4))], on_data_error=policy)
    (stream,) = report.streams
    assert (stream.rows_read, stream.rows_written, stream.rows_filtered, stream.rows_rejected) == (5, 4, 0, 1)
    with open_state(StateSpec(connection=str(state_path))) as state:
        letters = [stored.letter for stored in state.dead_letters.list()]
    assert [(letter.rejected_at, letter.code, letter.reasons, letter.row) for letter in letters] == [
        (RejectedAt.TRANSFORM, "bad_row", ("Too short.", "Too old."), {"id": "7", "name": None})
    ] * kept


@pytest.mark.parametrize("size_bytes", [MIB, MAX_REJECTION_BYTES])
def test_a_rejected_row_may_be_as_large_as_the_document_says(run: Run, state_path: Path, size_bytes: int) -> None:
    row = rejection(["No."], id="7", body="")
    steps = [*_SCHEMA, TAKE, TAKE, stretched(row, size_bytes), frame("batch", 4, bytes=40), *_ending(4)]
    run(GOOD_SOURCE, _destination(4), transforms=[transform_guest(steps, moved(4))], on_data_error="dlq")
    with open_state(StateSpec(connection=str(state_path))) as state:
        (stored,) = state.dead_letters.list()
    assert stored.letter.row == {"id": "7", "body": "x" * (size_bytes - len(json.dumps(row)))}


def test_a_rejected_row_that_is_larger_is_not_taken(run: Run, state_path: Path) -> None:
    row = stretched(rejection(["No."], id="7", body=""), MAX_REJECTION_BYTES + 1)
    transform = transform_guest([*_SCHEMA, TAKE, TAKE, row], moved(4))
    with pytest.raises(InternalError) as caught:
        run(GOOD_SOURCE, GOOD_DESTINATION, transforms=[transform], on_data_error="dlq")
    assert caught.value.code == "refused"
    with open_state(StateSpec(connection=str(state_path))) as state:
        assert state.dead_letters.list() == ()


def test_a_row_cannot_be_rejected_where_the_policy_is_to_fail(run: Run) -> None:
    transform = transform_guest([*_SCHEMA, TAKE, _BAD_ROW], moved(4))
    with pytest.raises(InternalError) as caught:
        run(GOOD_SOURCE, GOOD_DESTINATION, transforms=[transform])
    assert caught.value.code == "refused"


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([TAKE, GIVE, TAKE, frame("batch", 3)], id="more rows than it took"),
        pytest.param([TAKE, GIVE, TAKE, frame("batch", 2, bytes=17)], id="more bytes than it took"),
        pytest.param([TAKE, GIVE, TAKE, frame("batch", 2, filtered=1)], id="filtered rows that it also gave"),
        pytest.param([TAKE, GIVE, TAKE, GIVE, _BAD_ROW], id="a rejected row that it also gave"),
        pytest.param([TAKE, GIVE, _BAD_ROW], id="a rejected row that it never took"),
        pytest.param([TAKE, GIVE, TAKE, GIVE, TAKE, GIVE, frame("end", 5)], id="the end before it came"),
        pytest.param([TAKE, GIVE, TAKE, GIVE, TAKE, TAKE, frame("end", 2)], id="an end without all rows"),
        pytest.param(
            [TAKE, GIVE, TAKE, TAKE, frame("batch", 4, bytes=40, filtered=1), TAKE, frame("end", 4, bytes=40)],
            id="an end without the filtered rows",
        ),
        pytest.param(
            [TAKE, GIVE, TAKE, frame("batch", 2, position={"at": 3})], id="a position that did not come with the batch"
        ),
        pytest.param([TAKE, GIVE, frame("schema")], id="a second schema"),
    ],
)
def test_a_lie_about_rows_is_refused_before_the_destination_hears_of_it(
    run: Run, steps: Sequence[str | Mapping[str, object]]
) -> None:
    with pytest.raises(InternalError) as caught:
        run(GOOD_SOURCE, _destination(5), transforms=[transform_guest(steps, moved(5))], on_data_error="skip")
    assert caught.value.code == "refused"


def test_a_position_closes_the_account_of_what_came_before_it(run: Run) -> None:
    source = source_guest(
        [frame("schema"), frame("batch", 2), frame("batch", 3, position={"at": 5}), frame("end", 5)], moved(5)
    )
    late = frame("batch", 4, bytes=40, position={"at": 5})
    keeps_one_back = transform_guest([*_SCHEMA, TAKE, TAKE, late], moved(5))
    with pytest.raises(InternalError) as caught:
        run(source, GOOD_DESTINATION, transforms=[keeps_one_back])
    assert caught.value.code == "refused"
    honest = transform_guest([*_SCHEMA, TAKE, TAKE, {**late, "filtered": 1}, *_ending(4, filtered=1)], moved(4))
    assert run(source, _destination(4), transforms=[honest]).rows_written == 4


@pytest.mark.parametrize(
    ("source", "transform", "destination", "error", "code"),
    [
        pytest.param(
            source_guest([frame("schema"), frame("batch", 2)], failure("bad_row")),
            _IDENTITY,
            GOOD_DESTINATION,
            DataError,
            "bad_row",
            id="the source fails",
        ),
        pytest.param(
            endless_source_guest(),
            transform_guest([*_SCHEMA, TAKE], failure("bad_row")),
            GOOD_DESTINATION,
            DataError,
            "bad_row",
            id="the transform fails while the source is blocked",
        ),
        pytest.param(
            endless_source_guest(),
            transform_guest(_SCHEMA, moved(0), before_answer="(unreachable)"),
            GOOD_DESTINATION,
            ConnectorCrashError,
            "unreachable",
            id="the transform crashes",
        ),
        pytest.param(
            endless_source_guest(),
            identity_guest(60, 0),
            destination_guest(None, moved(0), before_receiving="(unreachable)"),
            ConnectorCrashError,
            "unreachable",
            id="the destination crashes while both are blocked",
        ),
        pytest.param(
            GOOD_SOURCE,
            identity_guest(3, 5),
            GOOD_DESTINATION,
            InternalError,
            "incomplete_stream",
            id="the transform returns before the end",
        ),
        pytest.param(
            GOOD_SOURCE, identity_guest(4, 6), GOOD_DESTINATION, InternalError, "bad_result", id="its answer is wrong"
        ),
        pytest.param(
            GOOD_SOURCE,
            transform_guest([], moved(0), prepared=failure("bad_query", "config")),
            _destination(5, prepare_body="(unreachable)"),
            RapidbyteError,
            "bad_query",
            id="it cannot be prepared, and the destination is not asked",
        ),
        pytest.param(
            GOOD_SOURCE,
            transform_guest([], moved(0), prepared={"ok": {"streams": [STREAM, STREAM]}}),
            _destination(5, prepare_body="(unreachable)"),
            InternalError,
            "bad_result",
            id="it plans another number of streams",
        ),
        pytest.param(
            GOOD_SOURCE,
            transform_guest([], moved(0), prepared={"ok": {"streams": [{**STREAM, "name": "public.u"}]}}),
            _destination(5, prepare_body="(unreachable)"),
            InternalError,
            "bad_result",
            id="it plans another stream",
        ),
    ],
)
def test_the_stage_that_failed_is_the_one_that_is_told(
    run: Run, source: bytes, transform: bytes, destination: bytes, error: type[RapidbyteError], code: str
) -> None:
    with pytest.raises(error) as caught:
        run(source, destination, transforms=[_IDENTITY if source == GOOD_SOURCE else identity_guest(99, 0), transform])
    assert caught.value.code == code


def test_the_transform_that_never_sends_the_end_is_the_one_that_is_named(run: Run) -> None:
    with pytest.raises(InternalError) as caught:
        run(GOOD_SOURCE, GOOD_DESTINATION, transforms=[identity_guest(3, 5), _IDENTITY])
    assert caught.value.message.startswith("transform test (transforms[0]) ended without sending the end of t.")


@pytest.mark.parametrize(("is_whole", "size_bytes"), [(True, 0), (False, 64 * MIB)])
def test_a_stream_that_a_transform_needs_whole_is_committed_at_its_end_only(
    run: Run, is_whole: bool, size_bytes: int
) -> None:
    prepared = {"ok": {"streams": [{**STREAM, "whole_stream": is_whole}]}}
    events: list[rapidbyte.Event] = []
    run(
        GOOD_SOURCE,
        _destination(5, before_receiving="(drop (call $log (i32.const 3) (local.get $pointer) (local.get $length)))"),
        transforms=[transform_guest([TAKE, GIVE] * 4, moved(5), prepared=prepared)],
        on_event=events.append,
    )
    (line,) = (event for event in events if isinstance(event, rapidbyte.LogLine))
    assert json.loads(line.message)["checkpoint"] == {"rows": 0, "bytes": size_bytes, "seconds": 0}


def test_check_has_each_transform_plan_what_the_one_before_gives(document: MakeDocument) -> None:
    renamed = {**STREAM, "columns": [{"name": "total", "type": "bigint", "nullable": True}]}
    transforms = [_IDENTITY, transform_guest([], moved(0), prepared={"ok": {"streams": [renamed]}})]
    report = rapidbyte.check_pipeline(document(GOOD_SOURCE, GOOD_DESTINATION, transforms=transforms))
    assert [(check.subject, check.name, check.status) for check in report.checks] == [
        ("state", "store", CheckStatus.OK),
        ("source", "connection", CheckStatus.OK),
        ("source", "taste", CheckStatus.WARN),
        ("destination", "connection", CheckStatus.OK),
        ("transforms[0]", "config", CheckStatus.OK),
        ("transforms[1]", "config", CheckStatus.OK),
        ("t", "stream", CheckStatus.OK),
        ("t", "transforms", CheckStatus.OK),
    ]
    assert report.checks[4].message == "transform test (transforms[0]) accepts its config"
    assert report.checks[-1].message == "1 columns leave them: total"
