"""Steps that no signal cuts in two: it waits, is not lost, and does afterwards what it would have done."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from types import FrameType

import pytest

from harness.python_path import PYTHON_PATH
from rapidbyte.embedded.uninterrupted import uninterrupted

_TERMINATED = """
import signal
from rapidbyte.embedded.uninterrupted import uninterrupted
with uninterrupted():
    signal.raise_signal(signal.SIGTERM)
    print("whole", flush=True)
print("not reached", flush=True)
"""


def test_ctrl_c_comes_after_the_block() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - what is seen is where it is raised
        with uninterrupted():
            signal.raise_signal(signal.SIGINT)
            done.append("whole")
        done.append("not reached")
    assert done == ["whole"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handler_that_was_set_gets_the_first_signal_once() -> None:
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(signal.SIGHUP, note)
    try:
        with uninterrupted():
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)
            assert came == []
        assert came == [signal.SIGHUP]
        signal.raise_signal(signal.SIGHUP)
        assert came == [signal.SIGHUP] * 2
    finally:
        signal.signal(signal.SIGHUP, before)


def test_error_of_the_block_does_not_lose_the_signal() -> None:
    with pytest.raises(KeyboardInterrupt) as caught, uninterrupted():  # noqa: PT012 - both belong to one block
        signal.raise_signal(signal.SIGINT)
        raise OSError("disk full")
    assert isinstance(caught.value.__context__, OSError)


def test_signal_that_ends_a_process_ends_it_after_the_block() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _TERMINATED],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": PYTHON_PATH},
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "whole\n"), ended.stderr


def test_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with uninterrupted():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_block_in_another_thread_leaves_the_handlers_alone() -> None:
    seen: list[object] = []

    def enter() -> None:
        with uninterrupted():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
