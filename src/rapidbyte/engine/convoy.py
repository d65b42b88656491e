"""One attempt at the streams of changes, which come from one log: a lane takes them over and moves them together.

What one position stands for becomes durable of all of them at once, so that either all are done or none is. Before
that, several lanes make the first copies of tables that are large enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.copies import Copies
from rapidbyte.engine.division import Division, Parallelism, divide_copies
from rapidbyte.engine.documents import Resumed
from rapidbyte.engine.events import StreamProgress
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.engine.parts import Parts
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption, resume
from rapidbyte.engine.roster import require_same_columns
from rapidbyte.engine.tally import progress_of, report_of
from rapidbyte.model import Stream, StreamReport, StreamSpec


class Convoy:
    """The streams `streams` of a plan, moved by the first of `lanes`, which the others help to copy."""

    def __init__(
        self,
        streams: tuple[int, ...],
        specs: tuple[StreamSpec, ...],
        run_id: str,
        rejects: Rejects,
        parallelism: Parallelism,
    ) -> None:
        """`specs` are those of all streams of the plan."""
        self.streams = streams
        self.lanes: list[Lane] = []
        self.has_receipts = False
        self._attempt = 1
        self._specs = specs
        self._run_id = run_id
        self._rejects = rejects
        self._parallelism = parallelism
        self._divisions: Mapping[int, Division] = {}
        self._copies: Copies | None = None
        self._resuming: tuple[Future[Resumed], ...] = ()
        self._resumptions: Mapping[int, Resumption] = dict.fromkeys(streams, Resumption())
        self._ledgers = Ledgers(streams)

    @property
    def failure(self) -> BaseException | None:
        """What ended one of the lanes, if anything did."""
        return next((lane.failure for lane in self.lanes if lane.failure is not None), None)

    @property
    def is_renewed(self) -> bool:
        """Whether streams that have no end came further in this attempt; a failure is the first one again then."""
        has_moved_on = any(self._ledgers.durable_position(stream) is not None for stream in self.streams)
        return self.lanes[0].is_endless and has_moved_on

    @property
    def wanted(self) -> int:
        """How many more lanes should help, which `prepare` is to make ready."""
        return 0 if self._copies is None else self._copies.wanted

    @property
    def is_helped_enough(self) -> bool:
        """Whether no lane will be needed any more that is free now."""
        return self._copies is None or self._copies.is_handed_out

    def prepare(self, lane: Lane) -> None:
        """Have a new lane see what the copies show, and its destination the tables as the first lane found them."""
        assert self._copies is not None
        lane.is_copier = True
        lane.prepare_source(self._require_same, self._copies.snapshot)
        lane.prepare_destination(self._found)

    def join(self, lane: Lane) -> None:
        """Let a free lane help."""
        if self._copies is not None and self._copies.join(lane):
            self.lanes.append(lane)

    def begin(self, lead: Lane, attempt: int) -> None:
        """Have a lane take the streams over, for the `attempt`-th time.

        The destination is asked about the streams as this lane found them, if it was not before.
        """
        self.lanes, self._attempt = [lead], attempt
        lead.stream = self.streams[0]
        if lead.is_prepared:
            self._take_over()

    def proceed(self) -> bool:
        """Start what comes next, where nothing failed; tell whether the streams are moved.

        Raises InternalError when the source left something of a copy unread, and StateError.
        """
        lead = self.lanes[0]
        if self._copies is not None and not self._copies.is_over:
            self._copy(self._copies)
            return False
        if lead.busy:
            return False
        if not lead.is_prepared and lead.found is not None:
            lead.prepare_destination(lead.found.result())
            self._take_over()
            return False
        if not self._resuming:
            return True
        resuming, self._resuming = self._resuming, ()
        self._resumptions = {
            stream: self._resume(stream, at) for stream, at in zip(self.streams, resuming, strict=True)
        }
        if all(resumption.is_done for resumption in self._resumptions.values()):
            return True
        shares = {stream: at.result().share for stream, at in zip(self.streams, resuming, strict=True)}
        parts = {
            stream: Parts(stream, self._specs[stream], self._divisions[stream], share)
            for stream, share in shares.items()
            if share is not None and stream in self._divisions
        }
        if parts:
            self._copies = Copies(lead, self._resumptions, parts, self._specs, self._run_id, self._rejects)
        else:
            self._ledgers = lead.move_together(self._resumptions)
        return False

    def progress(self) -> tuple[StreamProgress, ...]:
        """Tell how far the streams are, with what the run moved of them before."""
        return tuple(
            replace(
                progress_of(self._specs[stream], self._now(stream), self._resumptions[stream]),
                lag_bytes=self._ledgers.lag_bytes,
            )
            for stream in self.streams
        )

    def reports(self, attempts: int, duration_s: float) -> Mapping[int, StreamReport]:
        """Tell what was moved. Raises StateError."""
        return {
            stream: replace(self._report(stream), duration_s=duration_s, attempts=attempts) for stream in self.streams
        }

    @property
    def _found(self) -> tuple[Stream, ...]:
        """All streams of the plan, as the first lane found them."""
        found = self.lanes[0].found
        assert found is not None
        return found.result()

    def _require_same(self, streams: tuple[Stream, ...]) -> None:
        for stream in self.streams:
            require_same_columns(streams[stream], self._found[stream])

    def _take_over(self) -> None:
        lead, attempt = self.lanes[0], self._attempt
        self._divisions = divide_copies({stream: self._found[stream] for stream in self.streams}, self._parallelism)
        self._resuming = tuple(
            lead.resume(stream, attempt, is_shared=stream in self._divisions) for stream in self.streams
        )

    def _copy(self, copies: Copies) -> None:
        """Let the copies proceed, and when all are made, what comes after them."""
        for lane in copies.proceed():
            if lane is not self.lanes[0]:
                lane.stream = None
                self.lanes.remove(lane)
        self._resumptions = copies.resumptions
        if copies.is_over:
            self._ledgers = self.lanes[0].move_together(self._resumptions)

    def _report(self, stream: int) -> StreamReport:
        report = report_of(stream, self._specs[stream], self._total(stream), self._resumptions[stream], self._rejects)
        parts = None if self._copies is None else self._copies.parts.get(stream)
        if parts is None:
            return report
        return replace(report, batches=report.batches + parts.total.sent.batches, lanes=parts.most_lanes)

    def _resume(self, stream: int, resuming: Future[Resumed]) -> Resumption:
        resumed = resuming.result()
        self.has_receipts = resumed.has_receipts
        self._rejects.begin(stream, resumed.receipt, has_receipts=resumed.has_receipts)
        return resume(resumed.receipt, self._specs[stream], self._run_id)

    def _total(self, stream: int) -> Total:
        return Total.of([self._ledgers.of(stream).now])

    def _now(self, stream: int) -> Total:
        """Return what is being moved of a stream: its copy, as long as that is not published, or its changes."""
        copied = None if self._copies is None else self._copies.unpublished(stream)
        return self._total(stream) if copied is None else copied
