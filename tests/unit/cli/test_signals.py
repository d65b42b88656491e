"""The first signal asks to stop, the second ends the process at once; ignored signals stay ignored."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from rapidbyte.cli.signals import Signals

STUBBORN = """
import signal, time
from rapidbyte.cli.signals import Signals
with Signals() as signals, signals.stopping(lambda: print("stopping", flush=True)):
    print("ready", flush=True)
    time.sleep(60)
"""
IGNORING = """
import os, signal
signal.signal(signal.SIGHUP, signal.SIG_IGN)
from rapidbyte.cli.signals import Signals
with Signals() as signals:
    os.kill(os.getpid(), signal.SIGHUP)
print(signals.received)
"""


def process(code: str) -> subprocess.Popen[str]:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": path})


@pytest.fixture(autouse=True)
def default_handlers() -> Iterator[None]:
    """Signals as in a terminal: whoever started these tests may ignore some, as nohup does."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.SIG_DFL) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_interrupts_a_command_that_has_no_way_to_stop(number: signal.Signals) -> None:
    with Signals() as signals:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert signals.received == number


def test_signal_calls_stop_from_another_thread_where_there_is_one() -> None:
    stopped, callers = threading.Event(), []

    def stop() -> None:
        callers.append(threading.current_thread())
        stopped.set()

    with Signals() as signals, signals.stopping(stop):
        signal.raise_signal(signal.SIGTERM)
        assert stopped.wait(10)
        assert signals.received == signal.SIGTERM
    assert len(callers) == 1
    assert callers[0] is not threading.main_thread()


def test_signal_before_the_command_could_stop_is_not_forgotten() -> None:
    called = []
    with Signals() as signals:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with signals.stopping(lambda: called.append(True)):
            pass
    assert called == [True]


def test_handlers_are_put_back() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with Signals():
        pass
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_second_signal_ends_the_process_at_once(number: signal.Signals) -> None:
    with process(STUBBORN) as stubborn:
        assert stubborn.stdout is not None
        assert stubborn.stdout.readline() == "ready\n"
        stubborn.send_signal(number)
        assert stubborn.stdout.readline() == "stopping\n"
        stubborn.send_signal(number)
        assert stubborn.wait(10) == 128 + number


def test_ignored_signal_stays_ignored() -> None:
    with process(IGNORING) as ignoring:
        assert ignoring.communicate(timeout=30)[0] == "None\n"
        assert ignoring.returncode == 0
