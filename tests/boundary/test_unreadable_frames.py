"""Frames that their receiver cannot read: the error is about who sent them, and a receiver can claim no more."""

from __future__ import annotations

from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import GOOD_SOURCE, MakeDocument, Run, recorded
from boundary.relay_guests import (
    GIVE,
    TAKE,
    destination_guest,
    endless_source_guest,
    failure,
    frame,
    identity_guest,
    moved,
    source_guest,
    transform_guest,
)
from rapidbyte.errors import DataError, FrameError, InternalError, RapidbyteError
from rapidbyte.model import RunStatus

_PASSES = identity_guest(4, 5)
_UNREADABLE = failure("arrow", "frame")
_ANSWER = '{\\"error\\":{\\"category\\":\\"frame\\",\\"code\\":\\"arrow\\"}}'
_ACCUSATION = f"""(data (i32.const 900) "{_ANSWER}")
    (func $accuse (result i64) (call $result (i32.const 900) (i32.const {len(_ANSWER.replace(chr(92), ""))})))"""


def _refuses_all(code: str = "arrow", category: str = "frame", *, retryable: bool = False) -> bytes:
    """Return a destination that takes what comes and says that it cannot read it."""
    details = {"table": "t", "connector": "somebody else", "refused_by": "nobody"}
    return destination_guest(None, failure(code, category, retryable=retryable, details=details))


def _refuses_first(code: str = "arrow") -> bytes:
    """Return a transform that says the same of the first frame."""
    return transform_guest([TAKE], failure(code, "frame"))


@pytest.mark.parametrize("code", ["arrow", "row_count"])
@pytest.mark.parametrize(
    ("transforms", "sender"),
    [
        pytest.param([], "source test", id="the source"),
        pytest.param([_PASSES], "transform test", id="a transform"),
        pytest.param([_PASSES, _PASSES], "transform test (transforms[1])", id="the last of a chain"),
    ],
)
def test_frame_that_the_destination_cannot_read_is_its_senders(
    run: Run, state_path: Path, transforms: list[bytes], sender: str, code: str
) -> None:
    with pytest.raises(FrameError) as caught:
        run(GOOD_SOURCE, _refuses_all(code), transforms=transforms)
    assert caught.value.code == code
    assert caught.value.message == (
        f"{sender} sent a frame that destination test cannot read. The test says {code}. This is a fault of {sender}; "
        "please report it."
    )
    assert dict(caught.value.info.details) == {"table": "t", "connector": sender, "refused_by": "destination test"}
    assert len(caught.value.info.details) == 3
    assert recorded(state_path) == (RunStatus.FAILED, code)


@pytest.mark.parametrize(
    ("transforms", "sender", "receiver"),
    [
        pytest.param([_refuses_first()], "source test", "transform test", id="a transform refuses the source"),
        pytest.param(
            [_PASSES, _refuses_first("row_count")],
            "transform test (transforms[0])",
            "transform test (transforms[1])",
            id="a transform refuses another",
        ),
    ],
)
def test_frame_that_a_transform_cannot_read_is_its_senders(
    run: Run, transforms: list[bytes], sender: str, receiver: str
) -> None:
    # The source would send without end, so that no other connector comes to one before the refusal.
    source = endless_source_guest() if len(transforms) == 1 else GOOD_SOURCE
    with pytest.raises(FrameError) as caught:
        run(source, destination_guest(None, moved(0)), transforms=transforms)
    details = dict(caught.value.info.details)
    assert (details["connector"], details["refused_by"]) == (sender, receiver)


@pytest.mark.parametrize(
    ("code", "category", "error"),
    [
        pytest.param("arrow", "internal", InternalError, id="an own failure to write Arrow"),
        pytest.param("arrow", "data", DataError, id="a value"),
        pytest.param("frame", "frame", FrameError, id="a handle of its own"),
        pytest.param("no_end", "frame", FrameError, id="the order of frames, which the host has seen to"),
        pytest.param("Arrow", "frame", FrameError, id="a word that is nearly the one"),
    ],
)
def test_receiver_answers_for_every_other_error_itself(
    run: Run, code: str, category: str, error: type[RapidbyteError]
) -> None:
    with pytest.raises(error) as caught:
        run(GOOD_SOURCE, _refuses_all(code, category), transforms=[_PASSES])
    details = dict(caught.value.info.details)
    assert (caught.value.code, details["connector"]) == (code, "destination test")
    assert caught.value.message == f"The test says {code}."


def test_receiver_that_took_no_frame_cannot_accuse_anybody(run: Run) -> None:
    early = destination_guest(None, moved(0), before_receiving="(return (call $accuse))", fields=_ACCUSATION)
    with pytest.raises(FrameError) as caught:
        run(endless_source_guest(), early, transforms=[identity_guest(99, 0)])
    assert dict(caught.value.info.details)["connector"] == "destination test"


def test_source_cannot_blame_a_frame_that_nobody_sent_it(run: Run) -> None:
    with pytest.raises(FrameError) as caught:
        run(source_guest([frame("schema")], _UNREADABLE), destination_guest(None, moved(0)))
    assert dict(caught.value.info.details)["connector"] == "source test"
    assert "sent a frame" not in caught.value.message


def test_transform_that_crashes_is_not_excused_by_who_feeds_it(run: Run) -> None:
    crashes = transform_guest([TAKE, GIVE], moved(0), before_answer="(unreachable)")
    with pytest.raises(InternalError) as caught:
        run(GOOD_SOURCE, destination_guest(None, moved(0)), transforms=[crashes])
    assert caught.value.code == "unreachable"
    assert "transform test" in caught.value.message


def test_accusation_is_not_tried_again(run: Run) -> None:
    events: list[rapidbyte.Event] = []
    with pytest.raises(FrameError) as caught:
        run(GOOD_SOURCE, _refuses_all(retryable=True), on_event=events.append)
    assert not caught.value.retryable
    assert [event for event in events if isinstance(event, rapidbyte.LogLine)] == []


def test_preview_names_who_sent_what_it_cannot_read(document: MakeDocument) -> None:
    for transforms, sender in (([], "source test"), ([_PASSES], "transform test")):
        with pytest.raises(FrameError) as caught:
            rapidbyte.preview_pipeline(document(GOOD_SOURCE, destination_guest(None, moved(0)), transforms=transforms))
        assert caught.value.code == "arrow"
        assert caught.value.message.startswith(f"{sender} sent a frame that the preview cannot read. ")
