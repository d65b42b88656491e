"""The stages of one command: hired, waited for, and all ended on every way out.

The caller's thread waits here, wakes a few times a second to pass events on and to see whether it is cancelled, and
does nothing else. The first failure of any stage stops the others and is the one that is raised.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, wait
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.events import LogLine
from rapidbyte.engine.plan import GuestPlan
from rapidbyte.engine.stage import Stage, Surroundings
from rapidbyte.errors import CancelledRunError, ErrorInfo, InternalError, RapidbyteError
from rapidbyte.frames import BufferPool, QueueAbortedError
from rapidbyte.model import MIB
from rapidbyte.wasm import Level, Watchdog

_TICK_S = 0.1
_MAX_WAITING_LINES = 1000  # of log, from one tick to the next; a connector may say no more
_KEPT_BYTES = 16 * MIB

_Result = TypeVar("_Result")


class Crew:
    """Use it through `with`: leaving by an exception stops all stages, and every way closes them."""

    def __init__(self, cancellation: Cancellation, on_log: Callable[[LogLine], None]) -> None:
        self.pool = BufferPool(_KEPT_BYTES)
        self._cancellation = cancellation
        self._on_log = on_log
        self._log_lines: SimpleQueue[LogLine] = SimpleQueue()
        self._failures: list[BaseException] = []
        self._watchdog = Watchdog()
        self._stages: list[Stage] = []
        self._surroundings = Surroundings(self.pool, self._watchdog, self._note_line, self._failures.append)

    def hire(self, plan: GuestPlan) -> Stage:
        """Make a stage that this crew will end."""
        stage = Stage(plan, self._surroundings)
        self._stages.append(stage)
        return stage

    def result(self, future: Future[_Result]) -> _Result:
        """Wait for one future. Raises what `wait_any` does."""
        while future not in self.wait_any((future,)):
            pass
        return future.result()

    def wait_any(self, futures: Collection[Future[Any]]) -> Collection[Future[Any]]:
        """Wait until some futures are done, or a moment has passed, and return those that are.

        Raises the failure of any stage, also of one that is not waited for, and CancelledRunError.
        """
        done, _ = wait(futures, timeout=_TICK_S, return_when=FIRST_COMPLETED)
        self._pass_lines_on()
        if self._failures:
            self.stop()
            raise self._first_failure()
        if self._cancellation.is_cancelled:
            raise CancelledRunError("The run was cancelled. Streams that had not finished are unchanged at the target.")
        return done

    def stop(self) -> None:
        """Interrupt every stage and wait until each has returned, or was ended."""
        for stage in self._stages:
            stage.interrupt()
        wait([stage.drained() for stage in self._stages])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.stop()
        wait([stage.begin_close() for stage in self._stages])
        for stage in self._stages:
            stage.end()
        self._watchdog.close()
        self.pool.close()
        if error is None or isinstance(error, RapidbyteError):  # and not one that the listener itself raised
            self._pass_lines_on()

    def _note_line(self, connector: str, level: Level, message: str) -> None:
        if self._log_lines.qsize() < _MAX_WAITING_LINES:
            self._log_lines.put(LogLine(connector, level, message))

    def _pass_lines_on(self) -> None:
        for _ in range(self._log_lines.qsize()):  # those of now: a connector may write faster than they are passed on
            self._on_log(self._log_lines.get())

    def _first_failure(self) -> BaseException:
        """Return the failure that the others follow from: whoever only gave up because of its peer is not it."""
        causes = [error for error in self._failures if not isinstance(error, QueueAbortedError)]
        first = causes[0] if causes else self._failures[0]
        if isinstance(first, RapidbyteError) or not isinstance(first, Exception):
            return first
        failure = InternalError(f"The engine failed: {type(first).__name__}: {first}", ErrorInfo("engine"))
        failure.__cause__ = first
        return failure
