"""One attempt at one stream: a lane takes it over, and moves it alone or with others that help.

With others, each lane moves a part: the ranges that it gets, through a channel of its own. What they write becomes
durable at once, when all of them are done. A failure of one of them is one of the attempt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import replace

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.division import Division
from rapidbyte.engine.documents import Part, Resumed
from rapidbyte.engine.events import StreamProgress
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.pace import Pace
from rapidbyte.engine.ranges import Ranges
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption, resume
from rapidbyte.engine.tally import progress_of, report_of
from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.model import JsonObject, StreamReport, StreamSpec
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
        self._ledgers: list[Ledger] = []
        self._share: JsonObject | None = None
        self._ranges: Ranges | None = None
        self._pace = Pace.pinned(1)
        self._begun_s = 0.0
        self._is_publishing = False
        self._most_lanes = 1

    @property
    def failure(self) -> BaseException | None:
        """What ended one of the lanes, if anything did."""
        return next((lane.failure for lane in self.lanes if lane.failure is not None), None)

    @property
    def wanted(self) -> int:
        """How many more lanes should help, of the first one's epoch."""
        if self._ranges is None or not self._ranges.is_begun or self._ranges.is_exhausted:
            return 0
        return max(0, self._pace.lanes - len(self.lanes))

    def begin(self, lead: Lane, attempt: int) -> None:
        """Have a lane take the stream over, for the `attempt`-th time."""
        self.lanes = [lead]
        self._resuming = lead.resume(self.stream, attempt, is_shared=self._division is not None)

    def join(self, lane: Lane) -> None:
        """Let a free lane help."""
        self.lanes.append(lane)
        self._most_lanes = max(self._most_lanes, len(self.lanes))
        self._move_part(lane, is_first=False)

    def proceed(self) -> bool:
        """Start what comes next, where nothing failed; tell whether the stream is moved.

        Raises InternalError when its connectors left something of it unread.
        """
        self._let_go()
        if any(lane.busy for lane in self.lanes):
            self._measure()
            return False
        if self._resuming is not None:
            resumed, self._resuming = self._resuming.result(), None
            return not self._start(resumed)
        if self._ranges is None or self._is_publishing:
            return True
        if not self._ranges.is_exhausted:
            raise self._unread()
        self._is_publishing = True
        arrived, unwritten = self._total.delivered, self._rejects.count(self.stream, RejectedAt.DESTINATION)
        self.lanes[0].publish(self.stream, arrived.rows - unwritten, arrived.size_bytes)
        return False

    def progress(self) -> tuple[StreamProgress, ...]:
        """Tell how far the stream is, with what the run moved of it before."""
        return (progress_of(self._spec, self._total, self._resumption),)

    def reports(self, attempts: int, duration_s: float) -> Mapping[int, StreamReport]:
        """Tell what was moved. Raises StateError."""
        total = self._total if self._ranges is None else self._total.after_publication()
        report = report_of(self.stream, self._spec, total, self._resumption, self._rejects)
        return {self.stream: replace(report, duration_s=duration_s, attempts=attempts, lanes=self._most_lanes)}

    @property
    def _total(self) -> Total:
        return Total.of([ledger.now for ledger in self._ledgers])

    def _start(self, resumed: Resumed) -> bool:
        """Begin to move, unless that is done already."""
        self.has_receipts = resumed.has_receipts
        self._rejects.begin(self.stream, resumed.receipt, has_receipts=resumed.has_receipts)
        self._resumption = resume(resumed.receipt, self._spec, self._run_id)
        if self._resumption.is_done:
            return False
        if self._division is not None and resumed.share is not None:
            division = self._division
            self._share, self._pace = resumed.share, division.pace
            self._ranges = Ranges(division.extent, division.pace.most, division.least_range)
            self._begun_s = time.monotonic()
            self._move_part(self.lanes[0], is_first=True)
        else:
            self._ledgers.append(self.lanes[0].move(self.stream, self._resumption, is_whole=self._is_whole))
        return True

    def _move_part(self, lane: Lane, *, is_first: bool) -> None:
        assert self._ranges is not None
        assert self._share is not None
        self._ledgers.append(lane.move_part(self.stream, Part(is_first, self._share), self._ranges))

    def _let_go(self) -> None:
        """Free the helping lanes that are done. One that ended while others still read is not called again."""
        for lane in self.lanes[1:]:
            if not lane.busy:
                lane.stream = None
                self.lanes.remove(lane)
                if self._ranges is not None and not self._ranges.is_exhausted:
                    self._pace = Pace.pinned(len(self.lanes))

    def _measure(self) -> None:
        if self._ranges is None or self._is_publishing:
            return
        now_s = time.monotonic()
        left_s = (now_s - self._begun_s) * self._ranges.left / max(1, self._ranges.taken)
        pace = self._pace.after(now_s, len(self.lanes), self._total.sent.size_bytes, left_s)
        self._ranges.release(max(0, self._pace.lanes - pace.lanes))
        self._pace = pace

    def _unread(self) -> InternalError:
        return InternalError(
            f"The source ended before it had read all of {self._spec.name}. This is a fault of the connector; please "
            "report it.",
            ErrorInfo("incomplete_stream", details=(("stream", self._spec.name),)),
        )
