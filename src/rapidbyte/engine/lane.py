"""A lane: a source, the transforms, and a destination, that move one stream after the other, or parts of it.

To move a stream, the destination takes it over and says what is durable of it, then all run, with a channel from each
to the next. Streams of changes are moved together: they share the channel, and one position stands for all of them.
Failures of a lane are its own, so that it can be given up and what it moved be tried again on another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from rapidbyte.engine.chain import Chain
from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.engine.crew import Crew, first_failure
from rapidbyte.engine.documents import (
    Part,
    Reshaped,
    Resumed,
    Snapshotted,
    prepare_request,
    publish_request,
    read_is_endless,
    read_resumed,
    read_snapshot,
    read_snapshotted,
    read_streams,
    require_all_moved,
    require_moved,
    resume_request,
    run_request,
    snapshot_request,
)
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.engine.plan import Plan
from rapidbyte.engine.ranges import Ranges
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption
from rapidbyte.engine.stage import Stage
from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.frames import FrameQueue, QueueAbortedError, Rejection, codec_of
from rapidbyte.model import CheckpointInterval, JsonObject, RemovedColumn, Stream, StreamSpec
from rapidbyte.state import RejectedAt
from rapidbyte.wasm import Call, Inlet, Outlet
from rapidbyte.wasm.ports import refuse_ranges

_AT_THE_END = CheckpointInterval(rows=0, size_bytes=0, seconds=0)
_NOTHING_YET = -1  # bytes that were moved before the parts of a stream: less than any commit of them has
_ENDLESS_S = 1  # what has no end is committed after so long, where the document does not say after how long


class Lane:
    """A chain of connectors, what they are still doing, and the stream they are at, if any.

    Lanes of one `epoch` see the source's tables as one snapshot has them.
    """

    def __init__(self, plan: Plan, run_id: str, crew: Crew, rejects: Rejects, epoch: int) -> None:
        self._plan = plan
        self._run_id = run_id
        self._crew = crew
        self._rejects = rejects
        self._failures: list[BaseException] = []
        self._source = crew.hire(plan.source, self._failures)
        self._chain = Chain(plan, crew, self._failures)
        self._destination = crew.hire(plan.destination, self._failures)
        self.busy: set[Future[Any]] = {self._source.open(), *self._chain.open(), self._destination.open()}
        self.epoch = epoch
        self.snapshot: JsonObject | None = None  # once the source is prepared, for others to see what it sees
        self.stream: int | None = None
        self.is_copier = False  # it helps to make first copies, and sees what they show
        self.found: Future[tuple[Stream, ...]] | None = None  # all streams, as the source sees them
        self.is_endless = False
        self.is_prepared = False  # the destination was asked

    @property
    def failure(self) -> BaseException | None:
        """What ended the lane, if anything did. Whoever gave up because of its peer waits for that one's reason."""
        failure = first_failure(self._failures) if self._failures else None
        return None if isinstance(failure, QueueAbortedError) and self.busy else failure

    @property
    def is_free(self) -> bool:
        """Whether the lane could take a stream."""
        return self.stream is None and not self.busy and not self._failures

    def prepare_source(
        self, check: Callable[[tuple[Stream, ...]], None], snapshot: JsonObject | None
    ) -> Future[tuple[Stream, ...]]:
        """Look all streams up, as a snapshot has them if there is one; `check` may raise."""

        def read(answer: object) -> tuple[Stream, ...]:
            streams = read_streams(answer, self._source.name)
            check(streams)
            self.snapshot = read_snapshot(answer, self._source.name)
            self.is_endless = read_is_endless(answer, self._source.name)
            return streams

        plan = self._plan
        request = prepare_request(
            plan.pipeline, self._run_id, plan.streams, None, lanes=plan.parallelism.lanes, snapshot=snapshot
        )
        self.found = self._started(self._source.call(Call.PREPARE, request, read))
        return self.found

    def prepare_transform(self, place: int, streams: tuple[Stream, ...]) -> Future[Reshaped]:
        """Have a transform plan all streams, as the stage before it gives them."""
        return self._started(self._chain.prepare(place, self._run_id, streams))

    def prepare_destination(self, streams: tuple[Stream, ...], *, are_moved: bool = False) -> Future[None]:
        """Compare all streams, as the last stage gives them, with what the destination has.

        Where they `are_moved`, columns that it has besides came with changes, and are no reason to refuse any.
        """
        plan, self.is_prepared = self._plan, True
        specs = tuple(map(_without_judgement, plan.streams)) if are_moved else plan.streams
        request = prepare_request(plan.pipeline, self._run_id, specs, streams, lanes=plan.parallelism.lanes)
        return self._started(self._destination.call(Call.PREPARE, request, lambda _: None))

    def resume(self, stream: int, attempt: int, *, is_shared: bool) -> Future[Resumed]:
        """Take a stream over, for the `attempt`-th time."""
        self.stream = stream
        return self._started(
            self._destination.call(
                Call.RESUME,
                resume_request(stream, attempt, is_shared=is_shared),
                lambda answer: read_resumed(answer, self._destination.name),
            )
        )

    def take_snapshot(self, resumptions: Mapping[int, Resumption], copied: tuple[int, ...]) -> Future[Snapshotted]:
        """Have the changes of streams kept that were taken over, and take the snapshot that some are copied from."""
        request = snapshot_request({stream: at.position for stream, at in resumptions.items()}, copied)
        return self._started(
            self._source.call(
                Call.SNAPSHOT, request, lambda answer: read_snapshotted(answer, self._source.name, copied)
            )
        )

    def move(self, stream: int, resumption: Resumption, *, is_whole: bool) -> Ledger:
        """Move all of a stream that was taken over; one that `is_whole` is committed at its end only."""
        plan = self._plan
        checkpoint = _AT_THE_END if is_whole else plan.checkpoint
        request = run_request(stream, plan.batch_rows, plan.batch_bytes, resumption.position, checkpoint)
        ledger = Ledger(stream, len(plan.transforms))
        self._run(stream, request, ledger, resumption.size_bytes, refuse_ranges)
        return ledger

    def move_together(self, resumptions: Mapping[int, Resumption]) -> Ledgers:
        """Move all streams that were taken over, without transforms, from the position that stands for all of them."""
        plan, streams = self._plan, tuple(resumptions)
        queue = FrameQueue(plan.queue_frames, plan.queue_bytes, self._crew.pool, codec_of(plan.compression))
        positions = [resumption.position for resumption in resumptions.values()]
        request = {
            **run_request(streams[0], plan.batch_rows, plan.batch_bytes, None, self._checkpoint),
            "streams": list(streams),
            "positions": positions,
        }
        ledgers = Ledgers(streams)

        def keeper(at: RejectedAt, moved_bytes: Callable[[StreamLedger], int]) -> Callable[[Rejection], None]:
            def keep(rejection: Rejection) -> None:
                stream, ledger = rejection.stream, ledgers.of(rejection.stream)
                earlier_bytes = resumptions[stream].size_bytes
                self._rejects.listener(stream, at, lambda: earlier_bytes + moved_bytes(ledger.now))(rejection)

            return keep

        unread = keeper(RejectedAt.SOURCE, lambda now: now.sent.size_bytes)
        outlet = Outlet(
            queue,
            ledgers.sent,
            unread,
            durable_position=ledgers.durable_position,
            stop_requested=self._crew.hear_of_stop,
            lag=ledgers.lag,
        )
        verify = self._each(streams, lambda stream: self._sent(stream, ledgers.of(stream)), self._source)
        self._started(self._source.run(request, outlet, verify))
        unwritten = keeper(RejectedAt.DESTINATION, lambda now: now.durable_bytes)
        inlet = Inlet(queue, ledgers.delivered, ledgers.durable, unwritten)
        verify = self._each(streams, lambda stream: self._landed(stream, ledgers.of(stream)), self._destination)
        self._started(self._destination.run(request, inlet, verify, sender=self._source.name))
        return ledgers

    def move_part(self, stream: int, part: Part, ranges: Ranges) -> Ledger:
        """Move what this lane gets of a stream's ranges."""
        self.stream = stream

        def next_range(wanted: int) -> tuple[int, int] | None:
            return ranges.take(is_lead=part.is_first) if wanted == stream else refuse_ranges(wanted)

        plan = self._plan
        request = run_request(stream, plan.batch_rows, plan.batch_bytes, None, _AT_THE_END, part)
        ledger = Ledger(stream, len(plan.transforms), is_part=True)
        self._run(stream, request, ledger, _NOTHING_YET, next_range)
        return ledger

    def publish(self, stream: int, rows: int, size_bytes: int, position: JsonObject | None = None) -> Future[None]:
        """Make durable what several lanes wrote of a stream that this one took over, and that goes on at `position`."""
        request = publish_request(stream, rows, size_bytes, position)
        return self._started(
            self._destination.call(
                Call.PUBLISH, request, lambda answer: require_moved(answer, self._destination.name, stream, rows)
            )
        )

    def finish(self) -> Future[None]:
        """Say to the destination that all streams of the run are moved."""
        return self._started(self._destination.call(Call.FINISH, {}, lambda _: None))

    def give_up(self) -> None:
        """Stop and close all connectors."""
        self._crew.dismiss((self._source, *self._chain.stages, self._destination))
        self.busy.clear()

    @property
    def _checkpoint(self) -> CheckpointInterval:
        checkpoint = self._plan.checkpoint
        if self.is_endless and not checkpoint.seconds:
            return replace(checkpoint, seconds=_ENDLESS_S)
        return checkpoint

    def _started(self, future: Future[Any]) -> Future[Any]:
        self.busy.add(future)
        return future

    def _run(
        self,
        stream: int,
        request: JsonObject,
        ledger: Ledger,
        earlier_bytes: int,
        next_range: Callable[[int], tuple[int, int] | None],
    ) -> None:
        """Let all stages run. `earlier_bytes` the run has moved of the stream before."""
        plan, queues = self._plan, self._chain.queues()

        def keeper(at: RejectedAt, moved_bytes: Callable[[], int]) -> Callable[[Rejection], None]:
            return self._rejects.listener(stream, at, lambda: earlier_bytes + moved_bytes())

        def keeper_of_transform(place: int) -> Callable[[Rejection], None]:
            return keeper(RejectedAt.TRANSFORM, lambda: ledger.now.crossings[place].given.size_bytes)

        unread = keeper(RejectedAt.SOURCE, lambda: ledger.now.sent.size_bytes)
        outlet = Outlet(queues[0], ledger.sent, unread, next_range)
        self._started(self._source.run(request, outlet, self._verify_source(stream, ledger)))
        self.busy.update(self._chain.run(stream, request, queues, ledger, keeper_of_transform))
        unwritten = keeper(RejectedAt.DESTINATION, lambda: ledger.now.durable_bytes)
        inlet = Inlet(queues[-1], ledger.delivered, ledger.durable, unwritten)
        verify, sender = self._verify_destination(stream, ledger), plan.sender_to(len(plan.transforms))
        self._started(self._destination.run(request, inlet, verify, sender=sender))

    def _each(self, streams: tuple[int, ...], rows_of: Callable[[int], int], stage: Stage) -> Callable[[object], None]:
        """Return what compares the answer of a stage with what it moved of each stream."""
        return lambda answer: require_all_moved(answer, stage.name, {stream: rows_of(stream) for stream in streams})

    def _verify_source(self, stream: int, ledger: Ledger) -> Callable[[object], None]:
        return self._each((stream,), lambda stream: self._sent(stream, ledger), self._source)

    def _verify_destination(self, stream: int, ledger: Ledger) -> Callable[[object], None]:
        return self._each((stream,), lambda stream: self._landed(stream, ledger), self._destination)

    def _sent(self, stream: int, ledger: Ledger) -> int:
        """Return how many rows the source has sent of a whole stream."""
        if not ledger.now.is_sent:
            raise self._short(self._source, stream, "ended without sending the end of the stream")
        return ledger.now.sent.rows

    def _landed(self, stream: int, ledger: Ledger) -> int:
        """Return how many rows of a whole stream, or of a part, are where they should be."""
        now = ledger.now
        rows, fate = (now.delivered.rows, "delivered") if ledger.is_part else (now.durable_rows, "durable")
        if not (now.is_delivered if ledger.is_part else now.is_complete):
            what = f"ended with {rows} {fate} rows of {now.due.rows} that were sent"
            raise self._short(self._destination, stream, what)
        return rows

    def _short(self, stage: Stage, stream: int, what: str) -> InternalError:
        name = self._plan.streams[stream].name
        return InternalError(
            f"{stage.name} {what} {name}. This is a fault of the connector; please report it.",
            ErrorInfo("incomplete_stream", details=(("stream", name), ("connector", stage.name))),
        )


def _without_judgement(spec: StreamSpec) -> StreamSpec:
    return replace(spec, schema_evolution=replace(spec.schema_evolution, removed_column=RemovedColumn.IGNORE))
