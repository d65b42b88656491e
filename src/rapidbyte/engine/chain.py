"""The transforms of a lane: each takes what the stage before it gives, on a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import Reshaped, prepare_request, read_reshaped, require_moved
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.plan import Plan
from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.frames import FrameQueue, Rejection, codec_of
from rapidbyte.model import JsonObject, Stream
from rapidbyte.wasm import Call, Relay


class Chain:
    """The transforms of a plan, in order, as stages of a crew that owns them. There may be none."""

    def __init__(self, plan: Plan, crew: Crew, failures: list[BaseException] | None = None) -> None:
        self._plan = plan
        self._pool = crew.pool
        self.stages = tuple(crew.hire(transform, failures) for transform in plan.transforms)

    def open(self) -> Iterator[Future[None]]:
        """Instantiate all of them."""
        return (stage.open() for stage in self.stages)

    def prepare(self, place: int, run_id: str, streams: tuple[Stream, ...]) -> Future[Reshaped]:
        """Have the transform at `place` plan the streams as they come to it."""
        stage = self.stages[place]
        request = prepare_request(self._plan.pipeline, run_id, self._plan.streams, streams)
        return stage.call(Call.PREPARE, request, lambda answer: read_reshaped(answer, stage.name, streams))

    def queues(self) -> tuple[FrameQueue, ...]:
        """Make the queues that lead from the source through the transforms to the destination."""
        plan = self._plan
        return tuple(
            FrameQueue(plan.queue_frames, plan.queue_bytes, self._pool, codec_of(plan.compression))
            for _ in range(len(self.stages) + 1)
        )

    def run(
        self,
        stream: int,
        request: JsonObject,
        queues: Sequence[FrameQueue],
        ledger: Ledger,
        keeper: Callable[[int], Callable[[Rejection], None]],
    ) -> Iterator[Future[None]]:
        """Let the transforms pass a stream on along the queues; `keeper` makes what takes the rows that one rejects."""
        for place, stage in enumerate(self.stages):
            relay = Relay(
                upstream=queues[place],
                downstream=queues[place + 1],
                taken=partial(ledger.taken, place),
                admit=partial(ledger.given, place),
                rejected=partial(_reject, ledger, place, keeper(place)),
            )
            verify = partial(self._verify, place, stream, ledger)
            yield stage.run(request, relay, verify, sender=self._plan.sender_to(place))

    def _verify(self, place: int, stream: int, ledger: Ledger, answer: object) -> None:
        stage, crossing = self.stages[place], ledger.now.crossings[place]
        if not crossing.has_ended:
            name = self._plan.streams[stream].name
            raise InternalError(
                f"{stage.name} ended without sending the end of {name}. This is a fault of the connector; please "
                "report it.",
                ErrorInfo("incomplete_stream", details=(("stream", name), ("connector", stage.name))),
            )
        require_moved(answer, stage.name, stream, crossing.given.rows)


def _reject(ledger: Ledger, place: int, keep: Callable[[Rejection], None], rejection: Rejection) -> None:
    ledger.rejected(place, rejection.stream)  # first: no row is kept that never was
    keep(rejection)
