"""The lanes of a run, and what the first of them found: all streams, as the source and each transform give them.

Further lanes see the same tables, by its snapshot or by a comparison. One that is opened to help others may fail to
open: that makes a run slower and no more, and no other is opened to help then.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import Reshaped
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.plan import Plan
from rapidbyte.engine.rejects import Rejects
from rapidbyte.errors import ErrorInfo, InternalError, SchemaError
from rapidbyte.model import Stream, SyncMode

_Result = TypeVar("_Result")


class Roster:
    """The `lanes` that are open, on the stages of `crew`, and the `streams` once they are looked up."""

    def __init__(self, plan: Plan, run_id: str, crew: Crew, rejects: Rejects) -> None:
        self.lanes: list[Lane] = []
        self.streams: tuple[Stream, ...] = ()
        self._plan = plan
        self._run_id = run_id
        self._crew = crew
        self._rejects = rejects
        self._reshaped: list[Reshaped] = []  # by the transforms, in order
        self._helpers: list[Lane] = []
        self._is_helped = plan.parallelism.lanes > 1
        self._epochs = itertools.count()

    @property
    def room(self) -> int:
        """How many lanes may be opened to help."""
        return self._plan.parallelism.lanes - len(self.lanes) if self._is_helped else 0

    def is_whole(self, stream: int) -> bool:
        """Whether a transform needs all rows of a stream before it gives one."""
        return any(stream in reshaped.whole for reshaped in self._reshaped)

    def open_first(self) -> None:
        """Open a lane that looks all streams up. Blocks until they are; raises its failure once it is given up."""
        lane = self._lane(next(self._epochs))
        try:
            self._look_up(lane)
        except BaseException:
            self.give_up(lane)
            raise

    def open_for(self, stream: int) -> Lane:
        """Open a lane for a stream. A table whose changes are read may have changed since the first one saw it."""
        if self._plan.streams[stream].sync_mode is not SyncMode.CDC:
            return self._open_further(self._seeing())
        lane = self._lane(next(self._epochs))
        lane.prepare_source(self._require_same, None)
        return lane

    def open_to_finish(self) -> Lane:
        """Open a lane that can mark the receipts: what the source has by now is of no account."""
        lane = self._lane(next(self._epochs))
        lane.prepare_destination(self._streams_after(len(self._reshaped)), are_moved=True)
        return lane

    def open_helpers(self, count: int, lead: Lane) -> None:
        """Open so many lanes that see what `lead` does, as far as there is room; none where it cannot be shared."""
        for _ in range(min(count, self.room) if lead.snapshot is not None else 0):
            self._helpers.append(self._open_further(lead))

    def open_copiers(self, count: int, prepare: Callable[[Lane], None]) -> None:
        """Open so many lanes, as far as there is room, and have each prepared by who knows what it is to see."""
        for _ in range(min(count, self.room)):
            self._helpers.append(self._lane(next(self._epochs)))
            prepare(self._helpers[-1])

    def coming(self, epoch: int | None) -> int:
        """How many lanes are about to help: those of an epoch, or with first copies, which have none."""
        idle = [lane for lane in self.lanes if lane.stream is None]
        if epoch is None:
            return sum(lane.is_copier for lane in idle)
        return sum(lane.epoch == epoch and bool(lane.busy) for lane in idle)

    def make_room(self, count: int, epoch: int | None) -> None:
        """Have room for so many that help, in place of lanes without work; those of `epoch` could help themselves."""
        spare = [lane for lane in self.lanes if lane.is_free and not lane.is_copier and lane.epoch != epoch]
        for lane in spare[: max(0, count - self.room)] if self._is_helped else ():
            self.give_up(lane)

    def drop_broken(self) -> tuple[BaseException, ...]:
        """Give up helpers that could not be opened, and return why. Raises what another lane without work failed by."""
        failures = []
        for lane in [lane for lane in self.lanes if lane.failure is not None and lane.stream is None]:
            assert lane.failure is not None
            if lane not in self._helpers:
                raise lane.failure
            self._is_helped = False
            failures.append(lane.failure)
            self.give_up(lane)
        return tuple(failures)

    def give_up(self, lane: Lane) -> None:
        """Stop a lane and close its connectors."""
        self.lanes.remove(lane)
        lane.give_up()

    def give_up_opening(self, epoch: int) -> None:
        """Give up helpers that are being opened to see what others of an epoch do, which may have come to their end."""
        for lane in [lane for lane in self.lanes if lane.epoch == epoch and lane.stream is None and lane.busy]:
            self.give_up(lane)

    def _look_up(self, lane: Lane) -> None:
        self._reshaped.clear()
        prepared = lane.prepare_source(self._require_asked, None)
        for opening in tuple(lane.busy - {prepared}):
            self._result(lane, opening)
        self.streams = self._result(lane, prepared)
        for place in range(len(self._plan.transforms)):
            self._reshaped.append(self._result(lane, lane.prepare_transform(place, self._streams_after(place))))
        self._result(lane, lane.prepare_destination(self._streams_after(len(self._reshaped))))
        lane.busy.clear()

    def _seeing(self) -> Lane | None:
        """Return a lane that has seen the tables as those do that move streams, if there is one yet."""
        seen = (lane for lane in self.lanes if lane.snapshot is not None and not lane.is_copier)
        return next((lane for lane in seen if lane.failure is None), None)

    def _open_further(self, seeing: Lane | None) -> Lane:
        """Open a lane that sees what another one does, or for itself."""
        lane = self._lane(next(self._epochs) if seeing is None else seeing.epoch)
        lane.prepare_source(self._require_same, None if seeing is None else seeing.snapshot)
        for place in range(len(self._reshaped)):
            lane.prepare_transform(place, self._streams_after(place))
        lane.prepare_destination(self._streams_after(len(self._reshaped)))
        return lane

    def _lane(self, epoch: int) -> Lane:
        lane = Lane(self._plan, self._run_id, self._crew, self._rejects, epoch)
        self.lanes.append(lane)
        return lane

    def _streams_after(self, transforms: int) -> tuple[Stream, ...]:
        """Return the streams as they leave so many transforms."""
        return self._reshaped[transforms - 1].streams if transforms else self.streams

    def _result(self, lane: Lane, future: Future[_Result]) -> _Result:
        """Wait for one future of the first lane. Raises its failure."""
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
        for spec, found, wanted in zip(self._plan.streams, streams, self.streams, strict=True):
            if spec.sync_mode is not SyncMode.CDC:
                require_same_columns(found, wanted)


def require_same_columns(found: Stream, wanted: Stream) -> None:
    """Raise SchemaError when a lane has found a table with other columns than the first one, `wanted`."""
    if found.columns != wanted.columns:
        raise SchemaError(
            f"The table {wanted.name} changed while the run started. Run again.",
            ErrorInfo("schema_changed", details=(("stream", wanted.name),)),
        )
