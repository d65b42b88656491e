"""Moving the streams of a plan: lanes take one stream after the other, and again the one that failed in passing.

The first lane looks all streams up, at the source before the destination is asked, so that a wrong name touches
nothing. Further lanes open while it already works; each must see the same tables.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar

from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import Reshaped
from rapidbyte.engine.events import Event, LogLine, StreamFinished, StreamProgress, StreamStarted
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.engine.plan import Plan
from rapidbyte.engine.points import reach
from rapidbyte.engine.rejects import Rejects
from rapidbyte.errors import ErrorInfo, InternalError, SchemaError
from rapidbyte.model import DataErrorPolicy, Stream, StreamReport, StreamSpec
from rapidbyte.state import RejectedAt
from rapidbyte.wasm import Level

_Result = TypeVar("_Result")


@dataclass(eq=False, slots=True)
class _Task:
    """A stream of the plan that is not moved yet: its attempts, and when the next one may begin."""

    stream: int
    attempt: int = 1
    due_at_s: float = 0.0
    started_s: float | None = None
    has_receipts: bool = False


class Transfer:
    """One execution of a plan as the run `run_id`, on the stages of `crew`."""

    def __init__(
        self, plan: Plan, run_id: str, crew: Crew, rejects: Rejects, on_event: Callable[[Event], None]
    ) -> None:
        self._plan = plan
        self._rejects = rejects
        self._run_id = run_id
        self._crew = crew
        self._on_event = on_event
        self._ledgers = Ledgers(len(plan.transforms))
        self._waiting = [_Task(index) for index in range(len(plan.streams))]
        self._at: dict[int, _Task] = {}  # what the lanes are at, by stream
        self._reports: dict[int, StreamReport] = {}
        self._streams: tuple[Stream, ...] = ()
        self._reshaped: list[Reshaped] = []  # by the transforms, in order
        self._lanes: list[Lane] = []

    def execute(self) -> tuple[StreamReport, ...]:
        """Move every stream and return what was moved, in the order of the plan; blocks until all is durable.

        Raises the first error that no further attempt mends, and CancelledRunError.
        """
        self._lanes.append(self._open_first())
        self._lanes += [self._open_further() for _ in range(self._plan.lanes - 1)]
        while len(self._reports) < len(self._plan.streams):
            self._hand_out()
            done = self._crew.wait_any({future for lane in self._lanes for future in lane.busy})
            for lane in tuple(self._lanes):
                self._follow(lane, done)
        self._finish()
        return tuple(self._reports[index] for index in range(len(self._plan.streams)))

    def _open_first(self) -> Lane:
        lane = self._lane()
        prepared = lane.prepare_source(self._require_asked)
        for opening in tuple(lane.busy - {prepared}):
            self._result(lane, opening)
        self._streams = self._result(lane, prepared)
        for place in range(len(self._plan.transforms)):
            self._reshaped.append(self._result(lane, lane.prepare_transform(place, self._streams_after(place))))
        self._result(lane, lane.prepare_destination(self._streams_after(len(self._reshaped))))
        lane.busy.clear()
        return lane

    def _open_further(self) -> Lane:
        lane = self._lane()
        lane.prepare_source(self._require_same)
        for place in range(len(self._reshaped)):
            lane.prepare_transform(place, self._streams_after(place))
        lane.prepare_destination(self._streams_after(len(self._reshaped)))
        return lane

    def _streams_after(self, transforms: int) -> tuple[Stream, ...]:
        """Return the streams as they leave so many transforms."""
        return self._reshaped[transforms - 1].streams if transforms else self._streams

    def _lane(self) -> Lane:
        return Lane(self._plan, self._run_id, self._crew, self._ledgers, self._rejects)

    def _result(self, lane: Lane, future: Future[_Result]) -> _Result:
        """Wait for one future of a lane, whose failures are final."""
        while not lane.failure and future not in self._crew.wait_any((future,)):
            pass
        if lane.failure is not None:
            self._crew.stop()
            raise lane.failure
        return future.result()

    def _require_asked(self, streams: tuple[Stream, ...]) -> None:
        if len(streams) != len(self._plan.streams):
            raise InternalError(
                f"The source was asked for {len(self._plan.streams)} streams and answered with {len(streams)}.",
                ErrorInfo("bad_result"),
            )

    def _require_same(self, streams: tuple[Stream, ...]) -> None:
        self._require_asked(streams)
        for found, wanted in zip(streams, self._streams, strict=True):
            if found.columns != wanted.columns:
                raise SchemaError(
                    f"The table {found.name} changed while the run started. Run again.",
                    ErrorInfo("schema_changed", details=(("stream", found.name),)),
                )

    def _hand_out(self) -> None:
        """Give each lane without work the next stream whose time has come; lanes that were given up are made anew."""
        now_s = time.monotonic()
        free = [lane for lane in self._lanes if lane.stream is None and not lane.busy]
        for task in [task for task in self._waiting if task.due_at_s <= now_s]:
            if not free and len(self._lanes) == self._plan.lanes:
                return
            if free:
                lane = free.pop()
            else:
                lane = self._open_further()
                self._lanes.append(lane)
            self._waiting.remove(task)
            self._begin(lane, task)

    def _begin(self, lane: Lane, task: _Task) -> None:
        if task.started_s is None:
            task.started_s = time.monotonic()
            name = self._plan.streams[task.stream].name
            self._on_event(StreamStarted(name, self._streams[task.stream].estimated_rows))
        self._at[task.stream] = task
        is_whole = any(task.stream in reshaped.whole for reshaped in self._reshaped)
        lane.begin(task.stream, task.attempt, is_whole=is_whole)

    def _follow(self, lane: Lane, done: Collection[Future[Any]]) -> None:
        is_moved = lane.proceed(done)
        if lane.failure is not None:
            self._try_again(lane, lane.failure)
        elif lane.stream is not None:
            self._tell_progress(lane, lane.stream)
            if is_moved:
                self._report(lane, lane.stream)

    def _try_again(self, lane: Lane, error: BaseException) -> None:
        """Give a lane up and let its stream wait for another attempt, or raise what is final."""
        task = None if lane.stream is None else self._at.pop(lane.stream)
        if task is None:
            raise error
        task.has_receipts = task.has_receipts or lane.has_receipts
        wait_s = self._plan.retries.wait_s(error, task.attempt, has_receipts=task.has_receipts)
        if wait_s is None:
            raise error
        self._lanes.remove(lane)
        lane.give_up()
        task.attempt += 1
        task.due_at_s = time.monotonic() + wait_s
        self._waiting.append(task)
        self._tell_retry(self._plan.streams[task.stream].name, task.attempt, wait_s, error)

    def _tell_retry(self, what: str, attempt: int, wait_s: float, error: BaseException) -> None:
        message = f"{what} failed: {error} Attempt {attempt} of {self._plan.retries.attempts} begins in {wait_s:g} s."
        self._on_event(LogLine("engine", Level.WARN, message))

    def _tell_progress(self, lane: Lane, stream: int) -> None:
        ledger, earlier = self._ledgers.of(stream), lane.resumption
        self._on_event(
            StreamProgress(
                self._plan.streams[stream].name,
                earlier.rows + ledger.sent.rows,
                earlier.rows + ledger.durable_rows,
                earlier.size_bytes + ledger.sent.size_bytes,
            )
        )

    def _report(self, lane: Lane, stream: int) -> None:
        ledger, earlier, task = self._ledgers.of(stream), lane.resumption, self._at.pop(stream)
        started_s = time.monotonic() if task.started_s is None else task.started_s
        self._rejects.complete(stream)
        unread, unfit, unwritten = (
            self._rejects.count(stream, at) for at in (RejectedAt.SOURCE, RejectedAt.TRANSFORM, RejectedAt.DESTINATION)
        )
        rejected_before = self._rejects.earlier(stream)
        rejected = rejected_before + unread + unfit + unwritten
        self._reports[stream] = StreamReport(
            name=self._plan.streams[stream].name,
            rows_read=earlier.rows + rejected_before + ledger.sent.rows + unread,
            rows_written=earlier.rows + ledger.durable_rows - unwritten,
            bytes_read=earlier.size_bytes + ledger.sent.size_bytes,
            batches=ledger.sent.batches,
            duration_s=time.monotonic() - started_s,
            attempts=task.attempt,
            rows_rejected=rejected,
            rows_filtered=ledger.filtered_rows,
        )
        lane.stream = None
        if rejected:
            self._tell_rejects(self._plan.streams[stream], rejected)
        self._on_event(StreamFinished(self._reports[stream]))
        reach("engine.moved")

    def _tell_rejects(self, spec: StreamSpec, count: int) -> None:
        fate = "kept in the dead-letter queue" if spec.on_data_error is DataErrorPolicy.DLQ else "left out"
        message = f"{count} rows of {spec.name} were rejected and {fate}."
        self._on_event(LogLine("engine", Level.WARN, message))

    def _finish(self) -> None:
        """Have the receipts marked, so that the next run begins anew."""
        reach("engine.before_finish")
        lane = self._lanes[0] if self._lanes else self._open_further()
        for attempt in itertools.count(1):
            lane.finish()
            while lane.busy and lane.failure is None:
                lane.busy.difference_update(self._crew.wait_any(lane.busy))
            if lane.failure is None:
                break
            wait_s = self._plan.retries.wait_s(lane.failure, attempt, has_receipts=True)
            if wait_s is None:
                raise lane.failure
            self._tell_retry("The end of the run", attempt + 1, wait_s, lane.failure)
            lane.give_up()
            self._pause(wait_s)
            lane = self._open_further()
        reach("engine.finished")

    def _pause(self, wait_s: float) -> None:
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s:
            self._crew.wait_any(())
