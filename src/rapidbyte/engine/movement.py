"""One attempt at one stream: a lane takes it over, and moves it alone or with others that help.

With others, each lane moves a part: the ranges that it gets, through a channel of its own. What they write becomes
durable at once, when all of them are done. A failure of one of them is one of the attempt.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.division import Division
from rapidbyte.engine.documents import Resumed
from rapidbyte.engine.events import StreamProgress
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.parts import Parts
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption, resume
from rapidbyte.engine.tally import progress_of, report_of
from rapidbyte.model import StreamReport, StreamSpec
from rapidbyte.state import RejectedAt


class Movement:
    """The stream `stream`, moved by `lanes`, the first of which took it over.

    It may be cut as `division` says; one that `is_whole` is moved by one lane, and committed at its end only.
    """

    def __init__(
        self, stream: int, spec: StreamSpec, run_id: str, rejects: Rejects, division: Division | None, *, is_whole: bool
    ) -> None:
        self.stream = stream
        self.streams = (stream,)
        self.lanes: list[Lane] = []
        self.has_receipts = False
        self._spec = spec
        self._run_id = run_id
        self._rejects = rejects
        self._division = None if is_whole else division
        self._is_whole = is_whole
        self._resuming: Future[Resumed] | None = None
        self._resumption = Resumption()
        self._ledger: Ledger | None = None  # of one lane that moves all of it
        self._parts: Parts | None = None
        self._is_publishing = False

    @property
    def failure(self) -> BaseException | None:
        """What ended one of the lanes, if anything did."""
        return next((lane.failure for lane in self.lanes if lane.failure is not None), None)

    @property
    def wanted(self) -> int:
        """How many more lanes should help, of the first one's epoch."""
        return 0 if self._parts is None else self._parts.wanted

    def begin(self, lead: Lane, attempt: int) -> None:
        """Have a lane take the stream over, for the `attempt`-th time."""
        self.lanes = [lead]
        self._resuming = lead.resume(self.stream, attempt, is_shared=self._division is not None)

    def join(self, lane: Lane) -> None:
        """Let a free lane help."""
        assert self._parts is not None
        self.lanes.append(lane)
        self._parts.join(lane)

    def proceed(self) -> bool:
        """Start what comes next, where nothing failed; tell whether the stream is moved.

        Raises InternalError when its connectors left something of it unread.
        """
        self._let_go()
        if any(lane.busy for lane in self.lanes):
            if self._parts is not None and not self._is_publishing:
                self._parts.measure()
            return False
        if self._resuming is not None:
            resumed, self._resuming = self._resuming.result(), None
            return not self._start(resumed)
        if self._parts is None or self._is_publishing:
            return True
        self._parts.require_all_read()
        self._is_publishing = True
        arrived, unwritten = self._total.delivered, self._rejects.count(self.stream, RejectedAt.DESTINATION)
        self.lanes[0].publish(self.stream, arrived.rows - unwritten, arrived.size_bytes)
        return False

    def progress(self) -> tuple[StreamProgress, ...]:
        """Tell how far the stream is, with what the run moved of it before."""
        return (progress_of(self._spec, self._total, self._resumption),)

    def reports(self, attempts: int, duration_s: float) -> Mapping[int, StreamReport]:
        """Tell what was moved. Raises StateError."""
        total, lanes = self._total, 1
        if self._parts is not None:
            total, lanes = total.after_publication(), self._parts.most_lanes
        report = report_of(self.stream, self._spec, total, self._resumption, self._rejects)
        return {self.stream: replace(report, duration_s=duration_s, attempts=attempts, lanes=lanes)}

    @property
    def _total(self) -> Total:
        if self._parts is not None:
            return self._parts.total
        return Total.of([] if self._ledger is None else [self._ledger.now])

    def _start(self, resumed: Resumed) -> bool:
        """Begin to move, unless that is done already."""
        self.has_receipts = resumed.has_receipts
        self._rejects.begin(self.stream, resumed.receipt, has_receipts=resumed.has_receipts)
        self._resumption = resume(resumed.receipt, self._spec, self._run_id)
        if self._resumption.is_done:
            return False
        if self._division is not None and resumed.share is not None:
            self._parts = Parts(self.stream, self._spec, self._division, resumed.share)
            self._parts.join(self.lanes[0])
        else:
            self._ledger = self.lanes[0].move(self.stream, self._resumption, is_whole=self._is_whole)
        return True

    def _let_go(self) -> None:
        """Free the helping lanes that are done."""
        for lane in () if self._parts is None else self._parts.let_go():
            if lane is not self.lanes[0]:
                lane.stream = None
                self.lanes.remove(lane)
