"""The watchdog interrupts what is late, kills what does not stop, and leaves everybody else alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from rapidbyte.net import Interrupt, InterruptReason
from rapidbyte.wasm import Watchdog
from rapidbyte.wasm.abi import STOP_GRACE_S

_NEVER = 1e9  # by time.monotonic, decades from now
_TIMEOUT_S = 5.0


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    with Watchdog() as watchdog:
        yield watchdog


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    with Interrupt() as interrupt:
        yield interrupt


def test_a_late_call_is_interrupted_and_then_killed(watchdog: Watchdog, interrupt: Interrupt) -> None:
    killed = threading.Event()
    started = time.monotonic()
    with watchdog.guard(interrupt, lambda: started + 0.1, killed.set):
        assert killed.wait(_TIMEOUT_S)
        assert interrupt.reason is InterruptReason.TIMED_OUT
    assert time.monotonic() - started >= 0.1 + STOP_GRACE_S


def test_a_call_that_was_cancelled_is_killed_after_the_grace(watchdog: Watchdog, interrupt: Interrupt) -> None:
    killed = threading.Event()
    with watchdog.guard(interrupt, lambda: _NEVER, killed.set):
        started = time.monotonic()
        interrupt.fire(InterruptReason.CANCELLED)
        assert killed.wait(_TIMEOUT_S)
        assert time.monotonic() - started >= STOP_GRACE_S
    assert interrupt.reason is InterruptReason.CANCELLED


def test_a_call_that_is_over_is_never_killed(watchdog: Watchdog, interrupt: Interrupt) -> None:
    killed: list[str] = []
    with watchdog.guard(interrupt, time.monotonic, lambda: killed.append("late")):
        pass
    with Interrupt() as other, watchdog.guard(other, lambda: _NEVER, lambda: killed.append("other")):
        time.sleep(STOP_GRACE_S + 0.2)
    assert killed == []


def test_a_deadline_that_moves_is_asked_again(watchdog: Watchdog, interrupt: Interrupt) -> None:
    asked = threading.Semaphore(0)

    def due() -> float:
        asked.release()
        return time.monotonic() + 0.05

    with watchdog.guard(interrupt, due, lambda: None):
        for _ in range(5):
            assert asked.acquire(timeout=_TIMEOUT_S)
        assert interrupt.reason is None


def test_a_nearer_deadline_that_comes_later_is_kept(watchdog: Watchdog, interrupt: Interrupt) -> None:
    fired = threading.Event()
    with (
        Interrupt() as patient,
        watchdog.guard(patient, lambda: _NEVER, lambda: None),
        watchdog.guard(interrupt, lambda: 0.0, lambda: None),
        interrupt.listening(fired.set),
    ):
        assert fired.wait(_TIMEOUT_S)
        assert patient.reason is None


def test_closing_ends_the_thread_and_can_be_repeated() -> None:
    before = set(threading.enumerate())
    watchdog = Watchdog()
    with Interrupt() as interrupt, watchdog.guard(interrupt, lambda: _NEVER, lambda: None):
        assert len(set(threading.enumerate()) - before) == 1
    watchdog.close()
    watchdog.close()
    assert set(threading.enumerate()) <= before
