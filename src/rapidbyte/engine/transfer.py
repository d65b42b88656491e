"""Moving the streams of a plan: lanes take one stream after the other, and again the one that failed in passing.

The first lane looks all streams up, at the source before the destination is asked, so that a wrong name touches
nothing. Further lanes open while it already works; each must see the same tables. A lane that has no stream of its own
helps another with one that is cut; without such help a run is only slower, so a lane that was to give it may fail.
Streams of changes come from one log, and one lane moves them together; others help it with their first copies, and are
let go then, since they see the tables as these do.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

from rapidbyte.engine.convoy import Convoy
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.division import divide
from rapidbyte.engine.events import Event, LogLine, StreamFinished, StreamStarted
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.movement import Movement
from rapidbyte.engine.plan import Plan, groups_of
from rapidbyte.engine.points import reach
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.roster import Roster
from rapidbyte.errors import RapidbyteError
from rapidbyte.model import DataErrorPolicy, StreamReport, StreamSpec, SyncMode
from rapidbyte.wasm import Level


@dataclass(eq=False, slots=True)
class _Task:
    """Streams of the plan that one lane has to move yet: their attempts, and when the next one may begin."""

    streams: tuple[int, ...]
    attempt: int = 1
    failures: int = 0  # in a row
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
        self._waiting = [_Task(streams) for streams in groups_of(plan.streams)]
        self._at: dict[Movement | Convoy, _Task] = {}  # what the lanes are at
        self._reports: dict[int, StreamReport] = {}
        self._roster = Roster(plan, run_id, crew, rejects)

    def execute(self) -> tuple[StreamReport, ...]:
        """Move every stream and return what was moved, in the order of the plan; blocks until all is durable.

        Raises the first error that no further attempt mends, and CancelledRunError.
        """
        self._open_first()
        while len(self._reports) < len(self._plan.streams):
            self._hand_out()
            self._help()
            done = self._crew.wait_any({future for lane in self._roster.lanes for future in lane.busy})
            for lane in self._roster.lanes:
                lane.busy.difference_update(done)
            for failure in self._roster.drop_broken():
                self._warn(f"The run goes on with {len(self._roster.lanes)} at once: {failure}")
            for movement in tuple(self._at):
                self._follow(movement)
        self._finish()
        return tuple(self._reports[index] for index in range(len(self._plan.streams)))

    def _open_first(self) -> None:
        """Open a lane that has looked all streams up, again where that failed in passing."""
        for attempt in itertools.count(1):
            try:
                self._roster.open_first()
            except RapidbyteError as error:
                # Whatever the destination keeps, this may be repeated: nothing is written yet.
                wait_s = self._plan.retries.wait_s(error, attempt, has_receipts=True)
                if wait_s is None:
                    raise
                self._tell_retry("The start of the run", attempt + 1, wait_s, error)
                self._pause(wait_s)
            else:
                return

    def _hand_out(self) -> None:
        """Give each lane without work the next stream whose time has come; lanes that were given up are made anew."""
        now_s = time.monotonic()
        free = [lane for lane in self._roster.lanes if lane.is_free and not lane.is_copier]
        for task in [task for task in self._waiting if task.due_at_s <= now_s]:
            if not free and len(self._roster.lanes) == self._plan.parallelism.lanes:
                return
            self._waiting.remove(task)
            is_new = task.attempt > 1 and self._is_of_changes(task)  # the others see its tables as they were
            if is_new and free and len(self._roster.lanes) == self._plan.parallelism.lanes:
                self._roster.give_up(free.pop())
            self._begin(free.pop() if free and not is_new else self._roster.open_for(task.streams[0]), task)

    def _is_of_changes(self, task: _Task) -> bool:
        return self._plan.streams[task.streams[0]].sync_mode is SyncMode.CDC

    def _begin(self, lane: Lane, task: _Task) -> None:
        if task.started_s is None:
            task.started_s = time.monotonic()
            for index in task.streams:
                name, found = self._plan.streams[index].name, self._roster.streams[index]
                self._on_event(StreamStarted(name, found.estimated_rows))
        movement = self._movement(task.streams)
        self._at[movement] = task
        movement.begin(lane, task.attempt)

    def _movement(self, streams: tuple[int, ...]) -> Movement | Convoy:
        index, plan = streams[0], self._plan
        spec = plan.streams[index]
        if spec.sync_mode is SyncMode.CDC:
            return Convoy(streams, plan.streams, self._run_id, self._rejects, plan.parallelism)
        division = divide(spec, self._roster.streams[index], plan.parallelism)
        is_whole = self._roster.is_whole(index)
        return Movement(index, spec, self._run_id, self._rejects, division, is_whole=is_whole)

    def _help(self) -> None:
        """Give lanes without a stream to those that are cut, and open some more for them."""
        for movement in self._at:
            if isinstance(movement, Convoy):
                self._help_to_copy(movement)
                continue
            epoch = movement.lanes[0].epoch
            free = [lane for lane in self._roster.lanes if lane.is_free and lane.epoch == epoch]
            for lane in free[: movement.wanted]:
                movement.join(lane)
        for movement in self._at:
            self._call_for_help(movement)

    def _help_to_copy(self, convoy: Convoy) -> None:
        """The same for first copies, which are made by lanes that see what the snapshot of these shows.

        That ends with the copies. So a lane that is still being opened then is given up before.
        """
        for lane in [lane for lane in self._roster.lanes if lane.is_copier and lane.stream is None]:
            if convoy.is_helped_enough:
                self._roster.give_up(lane)
            elif lane.is_free:
                convoy.join(lane)

    def _call_for_help(self, movement: Movement | Convoy) -> None:
        """Open lanes; where no stream waits for one, in place of those that have nothing to do any more."""
        epoch = None if isinstance(movement, Convoy) else movement.lanes[0].epoch
        missing = movement.wanted - self._roster.coming(epoch)
        if missing > 0 and not self._waiting:
            self._roster.make_room(missing, epoch)
        if isinstance(movement, Convoy):
            self._roster.open_copiers(missing, movement.prepare)
        else:
            self._roster.open_helpers(missing, movement.lanes[0])

    def _follow(self, movement: Movement | Convoy) -> None:
        if movement.failure is not None:
            self._try_again(movement, movement.failure)
            return
        is_moved = movement.proceed()
        for event in movement.progress():
            self._on_event(event)
        if is_moved:
            self._report(movement)

    def _try_again(self, movement: Movement | Convoy, error: BaseException) -> None:
        """Give the lanes of streams up and let them wait for another attempt, or raise what is final."""
        task = self._at.pop(movement)
        task.has_receipts = task.has_receipts or movement.has_receipts
        task.failures = 1 if isinstance(movement, Convoy) and movement.is_renewed else task.failures + 1
        wait_s = self._plan.retries.wait_s(error, task.failures, has_receipts=task.has_receipts)
        if wait_s is None:
            raise error
        for lane in reversed(movement.lanes):  # the first one last: it takes back what the others have written
            self._roster.give_up(lane)
        self._give_up_copiers(movement)
        self._roster.give_up_opening(movement.lanes[0].epoch)
        task.attempt += 1
        task.due_at_s = time.monotonic() + wait_s
        self._waiting.append(task)
        names = ", ".join(self._plan.streams[stream].name for stream in task.streams)
        self._tell_retry(names, task.failures + 1, wait_s, error)

    def _give_up_copiers(self, movement: Movement | Convoy) -> None:
        """Give up what was to help with copies that are over."""
        for lane in [lane for lane in self._roster.lanes if lane.is_copier and isinstance(movement, Convoy)]:
            self._roster.give_up(lane)

    def _tell_retry(self, what: str, attempt: int, wait_s: float, error: BaseException) -> None:
        self._warn(f"{what} failed: {error} Attempt {attempt} of {self._plan.retries.attempts} begins in {wait_s:g} s.")

    def _report(self, movement: Movement | Convoy) -> None:
        task = self._at.pop(movement)
        started_s = time.monotonic() if task.started_s is None else task.started_s
        reports = movement.reports(task.attempt, time.monotonic() - started_s)
        self._reports |= reports
        for lane in movement.lanes:
            lane.stream = None
        self._give_up_copiers(movement)
        for stream, report in reports.items():
            if report.rows_rejected:
                self._tell_rejects(self._plan.streams[stream], report.rows_rejected)
            self._on_event(StreamFinished(report))
        reach("engine.moved")

    def _tell_rejects(self, spec: StreamSpec, count: int) -> None:
        fate = "kept in the dead-letter queue" if spec.on_data_error is DataErrorPolicy.DLQ else "left out"
        self._warn(f"{count} rows of {spec.name} were rejected and {fate}.")

    def _warn(self, message: str) -> None:
        self._on_event(LogLine("engine", Level.WARN, message))

    def _finish(self) -> None:
        """Have the receipts marked, so that the next run begins anew."""
        reach("engine.before_finish")
        for lane in [lane for lane in self._roster.lanes if not lane.is_free]:  # a helper that opened too late
            self._roster.give_up(lane)
        lane = self._roster.lanes[0] if self._roster.lanes else self._roster.open_to_finish()
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
            self._pause(wait_s, is_last=True)
            lane = self._roster.open_to_finish()
        reach("engine.finished")

    def _pause(self, wait_s: float, *, is_last: bool = False) -> None:
        until_s = time.monotonic() + wait_s
        while time.monotonic() < until_s:
            self._crew.wait_any((), is_last=is_last)
