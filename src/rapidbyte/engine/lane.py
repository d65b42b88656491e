"""A lane: a source, the transforms, and a destination, that move one stream after the other.

To move a stream, the destination takes it over and says what is durable of it, then all run, with a channel from each
to the next. Failures of a lane are its own, so that it can be given up and the stream be tried again on another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Any

from rapidbyte.engine.chain import Chain
from rapidbyte.engine.crew import Crew, first_failure
from rapidbyte.engine.documents import (
    Reshaped,
    Resumed,
    prepare_request,
    read_resumed,
    read_streams,
    require_moved,
    resume_request,
    run_request,
)
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.engine.plan import Plan
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption, resume
from rapidbyte.engine.stage import Stage
from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.frames import QueueAbortedError, Rejection
from rapidbyte.model import CheckpointInterval, Stream
from rapidbyte.state import RejectedAt
from rapidbyte.wasm import Call, Inlet, Outlet

_AT_THE_END = CheckpointInterval(rows=0, size_bytes=0, seconds=0)


class Lane:
    """A chain of connectors, what they are still doing, and the stream they are at, if any."""

    def __init__(self, plan: Plan, run_id: str, crew: Crew, ledgers: Ledgers, rejects: Rejects) -> None:
        self._plan = plan
        self._run_id = run_id
        self._crew = crew
        self._ledgers = ledgers
        self._rejects = rejects
        self._failures: list[BaseException] = []
        self._source = crew.hire(plan.source, self._failures)
        self._chain = Chain(plan, crew, ledgers, self._failures)
        self._destination = crew.hire(plan.destination, self._failures)
        self._resuming: Future[Resumed] | None = None
        self._is_whole = False
        self.busy: set[Future[Any]] = {self._source.open(), *self._chain.open(), self._destination.open()}
        self.stream: int | None = None
        self.resumption = Resumption()
        self.has_receipts = False

    @property
    def failure(self) -> BaseException | None:
        """What ended the lane, if anything did. Whoever gave up because of its peer waits for that one's reason."""
        failure = first_failure(self._failures) if self._failures else None
        return None if isinstance(failure, QueueAbortedError) and self.busy else failure

    def prepare_source(self, check: Callable[[tuple[Stream, ...]], None]) -> Future[tuple[Stream, ...]]:
        """Look all streams up; `check` may raise."""

        def read(answer: object) -> tuple[Stream, ...]:
            streams = read_streams(answer, self._source.name)
            check(streams)
            return streams

        request = prepare_request(self._plan.pipeline, self._run_id, self._plan.streams, None)
        return self._started(self._source.call(Call.PREPARE, request, read))

    def prepare_transform(self, place: int, streams: tuple[Stream, ...]) -> Future[Reshaped]:
        """Have a transform plan all streams, as the stage before it gives them."""
        return self._started(self._chain.prepare(place, self._run_id, streams))

    def prepare_destination(self, streams: tuple[Stream, ...]) -> Future[None]:
        """Compare all streams, as the last stage gives them, with what the destination has."""
        request = prepare_request(self._plan.pipeline, self._run_id, self._plan.streams, streams)
        return self._started(self._destination.call(Call.PREPARE, request, lambda _: None))

    def begin(self, stream: int, attempt: int, *, is_whole: bool) -> None:
        """Take a stream over, for the `attempt`-th time; one that `is_whole` is committed at its end only."""
        self.stream = stream
        self._is_whole = is_whole
        self._ledgers.begin(stream)
        self._resuming = self._started(
            self._destination.call(
                Call.RESUME,
                resume_request(stream, attempt),
                lambda answer: read_resumed(answer, self._destination.name),
            )
        )

    def proceed(self, done: Collection[Future[Any]]) -> bool:
        """Take note of what is done and start what comes next; tell whether the stream is moved."""
        self.busy.difference_update(done)
        if self.busy or self.stream is None or self._failures:
            return False
        if self._resuming is None:
            return True
        resumed, self._resuming = self._resuming.result(), None
        self.has_receipts = resumed.has_receipts
        self._rejects.begin(self.stream, resumed.receipt, has_receipts=resumed.has_receipts)
        self.resumption = resume(resumed.receipt, self._plan.streams[self.stream], self._run_id)
        if not self.resumption.is_done:
            self._move(self.stream)
        return self.resumption.is_done

    def finish(self) -> Future[None]:
        """Say to the destination that all streams of the run are moved."""
        return self._started(self._destination.call(Call.FINISH, {}, lambda _: None))

    def give_up(self) -> None:
        """Stop and close all connectors."""
        self._crew.dismiss((self._source, *self._chain.stages, self._destination))
        self.busy.clear()

    def _started(self, future: Future[Any]) -> Future[Any]:
        self.busy.add(future)
        return future

    def _move(self, stream: int) -> None:
        plan, ledgers = self._plan, self._ledgers
        queues = self._chain.queues()
        checkpoint = _AT_THE_END if self._is_whole else plan.checkpoint
        request = run_request(stream, plan.batch_rows, plan.batch_bytes, self.resumption.position, checkpoint)
        source, destination, earlier_bytes = self._source, self._destination, self.resumption.size_bytes
        unread = self._rejects.listener(
            stream, RejectedAt.SOURCE, lambda: earlier_bytes + ledgers.of(stream).sent.size_bytes
        )
        outlet = Outlet(queues[0], ledgers.sent, unread)
        self._started(source.run(request, outlet, self._verify_source(stream)))
        self.busy.update(self._chain.run(stream, request, queues, self._keep_unfit(stream)))
        unwritten = self._rejects.listener(
            stream, RejectedAt.DESTINATION, lambda: earlier_bytes + ledgers.of(stream).durable_bytes
        )
        inlet = Inlet(queues[-1], ledgers.delivered, ledgers.durable, unwritten)
        self._started(destination.run(request, inlet, self._verify_destination(stream)))

    def _keep_unfit(self, stream: int) -> Callable[[int], Callable[[Rejection], None]]:
        """Return what makes the listener for the rows that the transform at a place rejects."""
        earlier_bytes, ledgers = self.resumption.size_bytes, self._ledgers
        return lambda place: self._rejects.listener(
            stream,
            RejectedAt.TRANSFORM,
            lambda: earlier_bytes + ledgers.of(stream).crossings[place].given.size_bytes,
        )

    def _verify_source(self, stream: int) -> Callable[[object], None]:
        def verify(answer: object) -> None:
            ledger = self._ledgers.of(stream)
            if not ledger.is_sent:
                raise self._short(self._source, stream, "ended without sending the end of the stream")
            require_moved(answer, self._source.name, stream, ledger.sent.rows)

        return verify

    def _verify_destination(self, stream: int) -> Callable[[object], None]:
        def verify(answer: object) -> None:
            ledger = self._ledgers.of(stream)
            if not ledger.is_complete:
                raise self._short(
                    self._destination,
                    stream,
                    f"ended with {ledger.durable_rows} durable rows of {ledger.due.rows} that were sent",
                )
            require_moved(answer, self._destination.name, stream, ledger.durable_rows)

        return verify

    def _short(self, stage: Stage, stream: int, what: str) -> InternalError:
        name = self._plan.streams[stream].name
        return InternalError(
            f"{stage.name} {what} {name}. This is a fault of the connector; please report it.",
            ErrorInfo("incomplete_stream", details=(("stream", name), ("connector", stage.name))),
        )
