"""What becomes of a cancellation while something runs that ends when it is asked to."""

from __future__ import annotations

import time
from concurrent.futures import Future

import pytest

from rapidbyte.engine import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.errors import CancelledRunError


def test_source_that_asks_whether_to_stop_gets_the_time_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    cancel, running = Cancellation(), Future[None]()
    with Crew(cancel, lambda _: None) as crew:
        assert not crew.hear_of_stop()
        cancel.cancel()
        assert crew.hear_of_stop()
        assert crew.wait_any((running,)) == set()
        now_s = time.monotonic()
        monkeypatch.setattr(time, "monotonic", lambda: now_s + 21)
        with pytest.raises(CancelledRunError):
            crew.wait_any((running,))


def test_nobody_waits_where_nothing_runs() -> None:
    cancel = Cancellation()
    with Crew(cancel, lambda _: None) as crew:
        crew.hear_of_stop()
        cancel.cancel()
        with pytest.raises(CancelledRunError):
            crew.wait_any(())


def test_source_that_does_not_ask_is_stopped_at_once() -> None:
    cancel = Cancellation()
    with Crew(cancel, lambda _: None) as crew:
        cancel.cancel()
        with pytest.raises(CancelledRunError):
            crew.wait_any((Future[None](),))
