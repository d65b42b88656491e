"""Every way in which a run is ended from outside, and that memory stays flat until then."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import ENDLESS, GOOD_DESTINATION, GOOD_SOURCE, MakeDocument, Run, recorded
from boundary.relay_guests import destination_guest, endless_source_guest, moved, source_guest
from rapidbyte.errors import CancelledRunError, ConnectorCrashError
from rapidbyte.model import RunStatus


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def test_a_cancelled_run_ends_within_moments_and_isrecorded(run: Run, state_path: Path) -> None:
    cancel = rapidbyte.Cancellation()
    threading.Timer(0.3, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(CancelledRunError):
        run(endless_source_guest(), destination_guest(None, moved(0)), cancel=cancel)
    assert time.monotonic() - started < 5
    assert recorded(state_path) == (RunStatus.CANCELLED, "cancelled")


def test_a_run_that_was_cancelled_before_moves_nothing(run: Run) -> None:
    cancel = rapidbyte.Cancellation()
    cancel.cancel()
    with pytest.raises(CancelledRunError):
        run(GOOD_SOURCE, GOOD_DESTINATION, cancel=cancel)


def test_endless_guests_are_ended_when_the_run_is_cancelled(run: Run) -> None:
    cancel = rapidbyte.Cancellation()
    threading.Timer(0.3, cancel.cancel).start()
    started = time.monotonic()
    with pytest.raises(CancelledRunError):
        run(
            source_guest([], moved(0), before_answer=ENDLESS),
            destination_guest(None, moved(0), before_receiving=ENDLESS),
            cancel=cancel,
        )
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("source", "destination", "name"),
    [
        (source_guest([], moved(0), before_answer=ENDLESS), GOOD_DESTINATION, "source test"),
        (endless_source_guest(), destination_guest(None, moved(0), before_receiving=ENDLESS), "destination test"),
    ],
)
def test_the_connector_that_came_to_its_deadline_is_named_and_not_its_peer(
    document: MakeDocument, state_path: Path, source: bytes, destination: bytes, name: str
) -> None:
    values = json.loads(
        json.dumps(document(source, destination)).replace('"timeout_seconds": 5', '"timeout_seconds": 1')
    )
    with pytest.raises(ConnectorCrashError) as caught:
        rapidbyte.run_pipeline(values, state_path=state_path)
    assert caught.value.code == "timeout"
    assert caught.value.message.startswith(f"{name} made no progress for 1 s.")


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ValueError])
def test_what_a_listener_raises_ends_the_run_and_is_passed_on(
    run: Run, state_path: Path, raised: type[BaseException]
) -> None:
    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamProgress):
            raise raised("enough")

    with pytest.raises(raised, match="enough"):
        run(endless_source_guest(), destination_guest(None, moved(0)), on_event=listen)
    expected = (RunStatus.CANCELLED, "cancelled") if raised is KeyboardInterrupt else (RunStatus.FAILED, "engine")
    assert recorded(state_path) == expected


def test_memory_stays_flat_however_much_is_sent(run: Run) -> None:
    """The destination takes for half a second what the source can make: hundreds of megabytes, in a few buffers."""
    peaks: list[int] = []
    cancel = rapidbyte.Cancellation()

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamProgress):
            peaks.append(_resident_bytes())
            if event.rows_read > 4000:
                cancel.cancel()

    before = _resident_bytes()
    with pytest.raises(CancelledRunError):
        run(endless_source_guest(), destination_guest(None, moved(0)), on_event=listen, cancel=cancel)
    assert max(peaks) - before < 64 * 1024 * 1024
