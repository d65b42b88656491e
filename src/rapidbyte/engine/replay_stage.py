"""The destination of a replay: what its receipts say, and one batch of letters at a time, in a transaction each.

The receipts are those of a pipeline of its own, beside those of the runs. Their run ids are the ids of replays, so that
the last one tells which letters of a replay that nobody saw end are in the table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import (
    Resumed,
    prepare_request,
    read_resumed,
    read_target_plans,
    require_moved,
    resume_request,
    run_request,
)
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.plan import Plan
from rapidbyte.engine.replay_letters import Batch, as_replayed
from rapidbyte.errors import ErrorInfo, FrameError, InternalError, MissingPackageError
from rapidbyte.frames import FrameKind, FrameMetadata, FrameQueue, Rejection
from rapidbyte.model import REPLAY_SUFFIX, CheckpointInterval, Stream
from rapidbyte.wasm import Call, Inlet

_FRAMES = "rapidbyte.engine.replay_frames"  # by name: it needs a library that not everybody has
_STREAM = 0  # each batch is a stream of its own

Refused = Callable[[int, Rejection], None]  # what keeps a letter whose row is refused, before it returns


class ReplayStage:
    """A destination that is open, on the stages of `crew`."""

    def __init__(self, plan: Plan, crew: Crew) -> None:
        self._frames_of_rows = require_frames()
        self._plan = plan
        self._crew = crew
        self._stage = crew.hire(plan.destination)
        crew.result(self._stage.open())

    def committed(self, index: int, stream: Stream, replay_id: str) -> str | None:
        """Take a stream over, and return the id of the replay that last committed letters of it.

        Waits for another replay of the stream, and keeps others out until the crew is closed.
        """
        spec, stream = as_replayed(self._plan.streams[index], stream)
        prepare = prepare_request(self._plan.pipeline + REPLAY_SUFFIX, replay_id, (spec,), (stream,))
        read_plans = partial(read_target_plans, connector=self._stage.name)
        self._crew.result(self._stage.call(Call.PREPARE, prepare, read_plans))
        read: Callable[[Any], Resumed] = partial(read_resumed, connector=self._stage.name)
        request = resume_request(_STREAM, 1, is_shared=False)
        resumed = self._crew.result(self._stage.call(Call.RESUME, request, read))
        if not resumed.has_receipts:
            raise InternalError(
                f"{self._stage.name} keeps no receipts, so that rows could be written twice: none can be replayed.",
                ErrorInfo("no_receipts", details=(("connector", self._stage.name),)),
            )
        receipt = resumed.receipt
        return receipt.run_id if receipt is not None and receipt.is_complete else None

    def replay(self, batch: Batch, stream: Stream, refused: Refused) -> None:
        """Write a batch of the stream that was taken over last; all of it but what is refused is then committed."""
        ledger = Ledger(_STREAM)
        queue = FrameQueue(len(FrameKind), 2 * self._plan.destination.max_frame_bytes, self._crew.pool)
        try:
            for metadata, content in self._frames(batch, stream):
                ledger.sent(metadata)
                buffer = self._crew.pool.acquire(len(content))
                buffer.append(memoryview(bytearray(content)))
                queue.put(metadata, buffer)
            queue.finish()
            inlet = Inlet(queue, ledger.delivered, ledger.durable, partial(_refuse, batch, refused))
            request = run_request(_STREAM, len(batch.rows), batch.size_bytes, None, CheckpointInterval(size_bytes=0))
            self._crew.result(self._stage.run(request, inlet, partial(self._verify, ledger), sender="rapidbyte"))
        finally:
            queue.abort()

    def _frames(self, batch: Batch, stream: Stream) -> list[tuple[FrameMetadata, bytes]]:
        by_name = {column.name: column for column in stream.columns}
        columns = [by_name[name] for name in batch.columns]
        schema, rows = self._frames_of_rows(columns, batch.rows)
        count, size_bytes = len(batch.rows), batch.size_bytes
        return [
            (FrameMetadata(_STREAM, FrameKind.SCHEMA, 0, 0), schema),
            (FrameMetadata(_STREAM, FrameKind.BATCH, count, size_bytes), rows),
            (FrameMetadata(_STREAM, FrameKind.END, count, size_bytes), b""),
        ]

    def _verify(self, ledger: Ledger, answer: object) -> None:
        now = ledger.now
        if not now.is_complete:
            raise InternalError(
                f"{self._stage.name} ended with {now.durable_rows} durable rows of {now.sent.rows}. This is a "
                "fault of the connector; please report it.",
                ErrorInfo("incomplete_stream"),
            )
        require_moved(answer, self._stage.name, _STREAM, now.durable_rows)


def _refuse(batch: Batch, refused: Refused, rejection: Rejection) -> None:
    if rejection.stream != _STREAM or rejection.place is None or rejection.place >= len(batch.letter_ids):
        raise FrameError("A rejected row does not tell which of the letters it is.", ErrorInfo("invalid_argument"))
    refused(batch.letter_ids[rejection.place], rejection)


def require_frames() -> Any:
    """Return what writes the frames. Raises MissingPackageError."""
    try:
        return importlib.import_module(_FRAMES).frames_of_rows
    except ImportError as error:
        raise MissingPackageError(
            f"Replaying rows needs the library pyarrow, which cannot be loaded ({error}). "
            "Install it with: pip install 'rapidbyte[replay]'",
            ErrorInfo("replay_needs_pyarrow"),
        ) from error
