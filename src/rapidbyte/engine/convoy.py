"""One attempt at the streams of changes, which come from one log: a lane takes them over and moves them together.

What one position stands for becomes durable of all of them at once, so that either all are done or none is.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.documents import Resumed
from rapidbyte.engine.events import StreamProgress
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption, resume
from rapidbyte.engine.tally import progress_of, report_of
from rapidbyte.model import StreamReport, StreamSpec


class Convoy:
    """The streams `streams` of a plan, moved by the one lane in `lanes`."""

    def __init__(self, streams: tuple[int, ...], specs: tuple[StreamSpec, ...], run_id: str, rejects: Rejects) -> None:
        """`specs` are those of all streams of the plan."""
        self.streams = streams
        self.lanes: list[Lane] = []
        self.has_receipts = False
        self._attempt = 1
        self._specs = specs
        self._run_id = run_id
        self._rejects = rejects
        self._resuming: tuple[Future[Resumed], ...] = ()
        self._resumptions: Mapping[int, Resumption] = dict.fromkeys(streams, Resumption())
        self._ledgers = Ledgers(streams)

    @property
    def failure(self) -> BaseException | None:
        """What ended the lane, if anything did."""
        return next((lane.failure for lane in self.lanes if lane.failure is not None), None)

    @property
    def is_renewed(self) -> bool:
        """Whether streams that have no end came further in this attempt; a failure is the first one again then."""
        has_moved_on = any(self._ledgers.durable_position(stream) is not None for stream in self.streams)
        return self.lanes[0].is_endless and has_moved_on

    def begin(self, lead: Lane, attempt: int) -> None:
        """Have a lane take the streams over, for the `attempt`-th time.

        The destination is asked about the streams as this lane found them, if it was not before.
        """
        self.lanes, self._attempt = [lead], attempt
        lead.stream = self.streams[0]
        if lead.is_prepared:
            self._take_over()

    def proceed(self) -> bool:
        """Start what comes next, where nothing failed; tell whether the streams are moved."""
        lead = self.lanes[0]
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
        self._ledgers = lead.move_together(self._resumptions)
        return False

    def progress(self) -> tuple[StreamProgress, ...]:
        """Tell how far the streams are, with what the run moved of them before."""
        return tuple(
            replace(
                progress_of(self._specs[stream], self._total(stream), self._resumptions[stream]),
                lag_bytes=self._ledgers.lag_bytes,
            )
            for stream in self.streams
        )

    def reports(self, attempts: int, duration_s: float) -> Mapping[int, StreamReport]:
        """Tell what was moved. Raises StateError."""
        return {
            stream: replace(self._report(stream), duration_s=duration_s, attempts=attempts) for stream in self.streams
        }

    def _take_over(self) -> None:
        lead, attempt = self.lanes[0], self._attempt
        self._resuming = tuple(lead.resume(stream, attempt, is_shared=False) for stream in self.streams)

    def _report(self, stream: int) -> StreamReport:
        return report_of(stream, self._specs[stream], self._total(stream), self._resumptions[stream], self._rejects)

    def _resume(self, stream: int, resuming: Future[Resumed]) -> Resumption:
        resumed = resuming.result()
        self.has_receipts = resumed.has_receipts
        self._rejects.begin(stream, resumed.receipt, has_receipts=resumed.has_receipts)
        return resume(resumed.receipt, self._specs[stream], self._run_id)

    def _total(self, stream: int) -> Total:
        return Total.of([self._ledgers.of(stream).now])
