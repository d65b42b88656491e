"""An interrupt reaches every sleeper once, keeps its first reason, and can be taken back."""

from __future__ import annotations

import select

from rapidbyte.net import Interrupt, InterruptReason


def _is_readable(interrupt: Interrupt) -> bool:
    return bool(select.select([interrupt], [], [], 0)[0])


def test_the_first_reason_stays_and_the_descriptor_turns_readable() -> None:
    with Interrupt() as interrupt:
        assert (interrupt.reason, _is_readable(interrupt)) == (None, False)
        interrupt.fire(InterruptReason.TIMED_OUT)
        interrupt.fire(InterruptReason.CANCELLED)
        assert (interrupt.reason, _is_readable(interrupt)) == (InterruptReason.TIMED_OUT, True)


def test_a_listener_is_called_within_its_block_only() -> None:
    calls: list[str] = []
    with Interrupt() as interrupt:
        with interrupt.listening(lambda: calls.append("early")):
            pass
        with interrupt.listening(lambda: calls.append("now")):
            interrupt.fire(InterruptReason.CANCELLED)
        with interrupt.listening(lambda: calls.append("late")):
            pass
    assert calls == ["now", "late"]


def test_after_clear_all_is_as_before_and_it_can_fire_again() -> None:
    with Interrupt() as interrupt:
        interrupt.fire(InterruptReason.TIMED_OUT)
        interrupt.clear()
        interrupt.clear()
        assert (interrupt.reason, _is_readable(interrupt)) == (None, False)
        interrupt.fire(InterruptReason.CANCELLED)
        assert (interrupt.reason, _is_readable(interrupt)) == (InterruptReason.CANCELLED, True)


def test_a_closed_interrupt_takes_no_order() -> None:
    interrupt = Interrupt()
    interrupt.close()
    interrupt.close()
    interrupt.fire(InterruptReason.CANCELLED)
    assert interrupt.reason is None
