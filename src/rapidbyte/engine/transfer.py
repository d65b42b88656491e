"""Moving the streams of a plan: lanes, each a source and a destination, take one stream after the other.

The first lane looks all streams up, at the source before the destination is asked, so that a wrong name touches
nothing. Further lanes open while it already works; each must see the same tables.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import prepare_request, read_streams, require_moved, run_request
from rapidbyte.engine.events import Event, StreamFinished, StreamProgress, StreamStarted
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.engine.plan import Plan
from rapidbyte.engine.stage import Stage
from rapidbyte.errors import ErrorInfo, InternalError, SchemaError
from rapidbyte.frames import FrameQueue, codec_of
from rapidbyte.model import Stream, StreamReport
from rapidbyte.wasm import Call, Inlet, Outlet


@dataclass(eq=False, slots=True)
class _Lane:
    """A pair of connectors, what they are still doing, and the stream they are at."""

    source: Stage
    destination: Stage
    busy: set[Future[Any]] = field(default_factory=set)
    stream: int | None = None
    started_s: float = 0.0


class Transfer:
    """One execution of a plan, on the stages of `crew`."""

    def __init__(self, plan: Plan, crew: Crew, on_event: Callable[[Event], None]) -> None:
        self._plan = plan
        self._crew = crew
        self._on_event = on_event
        self._ledgers = Ledgers()
        self._waiting = deque(range(len(plan.streams)))
        self._reports: dict[int, StreamReport] = {}
        self._streams: tuple[Stream, ...] = ()

    def execute(self) -> tuple[StreamReport, ...]:
        """Move every stream and return what was moved, in the order of the plan; blocks until all is durable.

        Raises the first error of any connector, and CancelledRunError.
        """
        lanes = [self._open_first()]
        lanes += [self._open_further() for _ in range(self._plan.lanes - 1)]
        while len(self._reports) < len(self._plan.streams):
            for lane in lanes:
                if not lane.busy and self._waiting:
                    self._begin(lane, self._waiting.popleft())
            done = self._crew.wait_any({future for lane in lanes for future in lane.busy})
            for lane in lanes:
                lane.busy.difference_update(done)
                if lane.stream is not None:
                    self._follow(lane, lane.stream)
        return tuple(self._reports[index] for index in range(len(self._plan.streams)))

    def _open_first(self) -> _Lane:
        plan = self._plan
        lane = _Lane(self._crew.hire(plan.source), self._crew.hire(plan.destination))
        opening = (lane.source.open(), lane.destination.open())
        prepared = self._prepare_source(lane.source)
        self._crew.result(opening[1])
        self._streams = self._crew.result(prepared)
        self._crew.result(self._prepare_destination(lane.destination))
        return lane

    def _open_further(self) -> _Lane:
        lane = _Lane(self._crew.hire(self._plan.source), self._crew.hire(self._plan.destination))
        lane.busy = {
            lane.source.open(),
            lane.destination.open(),
            self._prepare_source(lane.source),
            self._prepare_destination(lane.destination),
        }
        return lane

    def _prepare_source(self, source: Stage) -> Future[tuple[Stream, ...]]:
        request = prepare_request(self._plan.streams, None)
        return source.call(Call.PREPARE, request, lambda answer: self._checked(read_streams(answer, source.name)))

    def _prepare_destination(self, destination: Stage) -> Future[None]:
        request = prepare_request(self._plan.streams, self._streams)
        return destination.call(Call.PREPARE, request, lambda _: None)

    def _checked(self, streams: tuple[Stream, ...]) -> tuple[Stream, ...]:
        wanted = self._streams
        if len(streams) != len(self._plan.streams):
            raise InternalError(
                f"The source was asked for {len(self._plan.streams)} streams and answered with {len(streams)}.",
                ErrorInfo("bad_result"),
            )
        for index, stream in enumerate(streams if wanted else ()):
            if stream.columns != wanted[index].columns:
                raise SchemaError(
                    f"The table {stream.name} changed while the run started. Run again.",
                    ErrorInfo("schema_changed", retryable=True, safe_to_retry=True, details=(("stream", stream.name),)),
                )
        return streams

    def _begin(self, lane: _Lane, stream: int) -> None:
        plan, ledgers = self._plan, self._ledgers
        ledgers.begin(stream)
        queue = FrameQueue(plan.queue_frames, plan.queue_bytes, self._crew.pool, codec_of(plan.compression))
        request = run_request(stream, plan.batch_rows, plan.batch_bytes)
        lane.stream, lane.started_s = stream, time.monotonic()
        self._on_event(StreamStarted(plan.streams[stream].name, self._streams[stream].estimated_rows))
        lane.busy = {
            lane.source.run(request, Outlet(queue, ledgers.sent), self._verify_source(lane.source, stream)),
            lane.destination.run(
                request,
                Inlet(queue, ledgers.delivered, ledgers.durable),
                self._verify_destination(lane.destination, stream),
            ),
        }

    def _verify_source(self, source: Stage, stream: int) -> Callable[[object], None]:
        def verify(answer: object) -> None:
            ledger = self._ledgers.of(stream)
            if not ledger.is_sent:
                raise self._short(source, stream, "ended without sending the end of the stream")
            require_moved(answer, source.name, stream, ledger.sent.rows)

        return verify

    def _verify_destination(self, destination: Stage, stream: int) -> Callable[[object], None]:
        def verify(answer: object) -> None:
            ledger = self._ledgers.of(stream)
            if not ledger.is_complete:
                raise self._short(
                    destination,
                    stream,
                    f"ended with {ledger.durable_rows} durable rows of {ledger.sent.rows} that were sent",
                )
            require_moved(answer, destination.name, stream, ledger.durable_rows)

        return verify

    def _short(self, stage: Stage, stream: int, what: str) -> InternalError:
        name = self._plan.streams[stream].name
        return InternalError(
            f"{stage.name} {what} {name}. This is a fault of the connector; please report it.",
            ErrorInfo("incomplete_stream", details=(("stream", name), ("connector", stage.name))),
        )

    def _follow(self, lane: _Lane, stream: int) -> None:
        ledger = self._ledgers.of(stream)
        name = self._plan.streams[stream].name
        self._on_event(StreamProgress(name, ledger.sent.rows, ledger.durable_rows, ledger.sent.size_bytes))
        if lane.busy:
            return
        self._reports[stream] = StreamReport(
            name=name,
            rows_read=ledger.sent.rows,
            rows_written=ledger.durable_rows,
            bytes_read=ledger.sent.size_bytes,
            batches=ledger.sent.batches,
            duration_s=time.monotonic() - lane.started_s,
            attempts=1,
        )
        lane.stream = None
        self._on_event(StreamFinished(self._reports[stream]))
