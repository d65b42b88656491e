"""The stages of one command: hired, waited for, and all ended on every way out.

The caller's thread waits here, wakes a few times a second to pass events on and to see whether it is cancelled, and
does nothing else. The first failure of a stage stops the others and is the one that is raised, unless somebody else
listens for the failures of that stage. A source without an end of its own asks whether to stop; where one has asked,
a cancellation lets what runs come to its end first, for a while.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.events import LogLine
from rapidbyte.engine.plan import GuestPlan
from rapidbyte.engine.stage import Stage, Surroundings
from rapidbyte.errors import CancelledRunError, ErrorInfo, InternalError, RapidbyteError
from rapidbyte.frames import BufferPool, QueueAbortedError
from rapidbyte.model import MIB, ConnectorUsage
from rapidbyte.wasm import NO_STATE, InstanceUsage, Level, StatePort, Watchdog

_TICK_S = 0.1
_MAX_WAITING_LINES = 1000  # of log, from one tick to the next; a connector may say no more
_KEPT_BYTES = 16 * MIB
_ENDING_S = 20.0  # for what was read to be committed, once a source without an end is asked to stop

_Result = TypeVar("_Result")


class Crew:
    """Use it through `with`: leaving by an exception stops all stages, and every way closes them."""

    def __init__(
        self,
        cancellation: Cancellation,
        on_log: Callable[[LogLine], None] = lambda _: None,
        state_of: Callable[[str], StatePort] = lambda _: NO_STATE,
    ) -> None:
        """`state_of` gives what a connector of this name may keep; without it, nothing is kept."""
        self.pool = BufferPool(_KEPT_BYTES)
        self._cancellation = cancellation
        self._on_log = on_log
        self._log_lines: SimpleQueue[LogLine] = SimpleQueue()
        self._failures: list[BaseException] = []
        self._watchdog = Watchdog()
        self._stages: list[Stage] = []
        self._usage: dict[str, ConnectorUsage] = {}
        self._usage_lock = threading.Lock()
        self._hears_of_stop = False
        self._cancelled_at_s: float | None = None
        self._surroundings = Surroundings(
            self.pool, self._watchdog, self._note_line, self._failures.append, self._note_usage, state_of
        )

    def hire(self, plan: GuestPlan, failures: list[BaseException] | None = None) -> Stage:
        """Make a stage that this crew will end. It notes its failures in `failures`, or else they are the crew's."""
        around = self._surroundings
        self._usage.setdefault(plan.name, ConnectorUsage(plan.name))
        stage = Stage(plan, around if failures is None else replace(around, on_failure=failures.append))
        self._stages.append(stage)
        return stage

    @property
    def usage(self) -> tuple[ConnectorUsage, ...]:
        """What the connectors have used whose stages were closed, in the order in which they were first hired."""
        return tuple(self._usage.values())

    def dismiss(self, stages: Collection[Stage]) -> None:
        """Stop some stages, and close them, now."""
        _end(stages, is_stopping=True)
        self._stages = [stage for stage in self._stages if stage not in stages]

    def result(self, future: Future[_Result]) -> _Result:
        """Wait for one future. Raises what `wait_any` does."""
        while future not in self.wait_any((future,)):
            pass
        return future.result()

    def wait_any(self, futures: Collection[Future[Any]], *, is_last: bool = False) -> Collection[Future[Any]]:
        """Wait until some futures are done, or a moment has passed, and return those that are.

        Raises the crew's first failure, also of a stage that is not waited for, and CancelledRunError; but not where a
        source that was asked to end has time left, and there are futures, or what is to be done yet `is_last`.
        """
        if futures:
            done, _ = wait(futures, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        else:
            done = set()
            time.sleep(_TICK_S)
        self._pass_lines_on()
        if self._failures:
            self.stop()
            raise first_failure(self._failures)
        if self._cancellation.is_cancelled and not ((futures or is_last) and self._is_ending()):
            raise CancelledRunError(
                "The run was cancelled. What was committed stays, and the next run goes on after it."
            )
        return done

    def hear_of_stop(self) -> bool:
        """Tell a source that ends when it is asked to, from its thread, whether it is; from now on it gets the time."""
        self._hears_of_stop = True
        return self._cancellation.is_cancelled

    def stop(self) -> None:
        """Interrupt every stage and wait until each has returned, or was ended."""
        _stop(self._stages)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._stages, is_stopping=error is not None)
        self._watchdog.close()
        self.pool.close()
        if error is None or isinstance(error, RapidbyteError):  # and not one that the listener itself raised
            self._pass_lines_on()

    def _is_ending(self) -> bool:
        """Return whether what runs is about to end by itself, and has time left for that."""
        now_s = time.monotonic()
        self._cancelled_at_s = now_s if self._cancelled_at_s is None else self._cancelled_at_s
        return self._hears_of_stop and now_s - self._cancelled_at_s < _ENDING_S

    def _note_line(self, connector: str, level: Level, message: str) -> None:
        if self._log_lines.qsize() < _MAX_WAITING_LINES:
            self._log_lines.put(LogLine(connector, level, message))

    def _note_usage(self, connector: str, used: InstanceUsage) -> None:
        with self._usage_lock:
            before = self._usage[connector]
            self._usage[connector] = before.with_instance(used.memory_bytes, used.host_calls, used.cpu_s)

    def _pass_lines_on(self) -> None:
        for _ in range(self._log_lines.qsize()):  # those of now: a connector may write faster than they are passed on
            self._on_log(self._log_lines.get())


def first_failure(failures: Sequence[BaseException]) -> BaseException:
    """Return the failure that the others follow from: whoever only gave up because of its peer is not it."""
    causes = [error for error in failures if not isinstance(error, QueueAbortedError)]
    first = causes[0] if causes else failures[0]
    if isinstance(first, RapidbyteError) or not isinstance(first, Exception):
        return first
    failure = InternalError(f"The engine failed: {type(first).__name__}: {first}", ErrorInfo("engine"))
    failure.__cause__ = first
    return failure


def _stop(stages: Collection[Stage]) -> None:
    for stage in stages:
        stage.interrupt()
    wait([stage.drained() for stage in stages])


def _end(stages: Collection[Stage], *, is_stopping: bool) -> None:
    if is_stopping:
        _stop(stages)
    wait([stage.begin_close() for stage in stages])
    for stage in stages:
        stage.end()
