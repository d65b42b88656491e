"""The public call that shows the first rows of a pipeline's streams, and writes none of them anywhere."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import NO_RUN, prepare_request, read_streams, run_request
from rapidbyte.engine.events import LogLine
from rapidbyte.engine.plan import GuestPlan, plan_source
from rapidbyte.engine.run import load_pipeline
from rapidbyte.errors import ConfigError, ErrorInfo
from rapidbyte.frames import FrameKind, FrameMetadata, FrameQueue
from rapidbyte.model import MIB, CheckpointInterval, Pipeline, Stream, StreamPreview
from rapidbyte.wasm import ArtifactCache, Call, Outlet

_QUEUE_FRAMES = 4
_QUEUE_BYTES = 8 * MIB
_ROWS = "rapidbyte.engine.preview_rows"  # by name: it needs a library that not everybody has


def preview_pipeline(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    limit: int = 10,
    env: Mapping[str, str] | None = None,
    cancel: Cancellation | None = None,
) -> tuple[StreamPreview, ...]:
    """Return at most `limit` rows of each stream, as its source reads them from the start; no destination is asked.

    Raises what `run_pipeline` does, and ConfigError with code `preview_needs_pyarrow`.
    """
    text_of_rows = _text_of_rows()
    loaded = load_pipeline(pipeline, env)
    plan = plan_source(loaded, ArtifactCache.of_user())
    cancellation = cancel if cancel is not None else Cancellation()
    previews = []
    for index, spec in enumerate(loaded.streams):
        stream, frames = _first_frames(plan, loaded, index, limit, cancellation)
        rows = text_of_rows(frames, limit)
        previews.append(StreamPreview(spec.name, stream.columns, rows))
    return tuple(previews)


def _first_frames(
    plan: GuestPlan, pipeline: Pipeline, index: int, limit: int, cancellation: Cancellation
) -> tuple[Stream, list[bytes]]:
    """Return a stream and its first frames, the schema among them, from a source that is stopped after them."""
    frames: list[bytes] = []
    with Crew(cancellation, _ignore) as crew:
        source = crew.hire(plan)
        crew.result(source.open())
        prepare = prepare_request(pipeline.name, NO_RUN, pipeline.streams, None)
        streams = crew.result(source.call(Call.PREPARE, prepare, lambda answer: read_streams(answer, source.name)))
        queue = FrameQueue(_QUEUE_FRAMES, _QUEUE_BYTES, crew.pool)
        request = run_request(index, limit, plan.max_frame_bytes // 2, None, CheckpointInterval())
        running = source.run(request, Outlet(queue, _admit, _ignore), _ignore)
        rows = 0
        while rows < limit:
            is_over = running in crew.wait_any((running,)) if not len(queue) else False
            while len(queue) and rows < limit:
                frame = queue.get()
                assert frame is not None
                metadata, buffer = frame
                if metadata.kind is not FrameKind.END:
                    frames.append(bytes(buffer.content()))
                rows += metadata.rows if metadata.kind is FrameKind.BATCH else 0
                crew.pool.release(buffer)
            if is_over:
                break
        queue.abort()
        crew.stop()
    return streams[index], frames


def _text_of_rows() -> Any:
    try:
        return importlib.import_module(_ROWS).text_of_rows
    except ImportError as error:
        raise ConfigError(
            f"Showing rows needs the library pyarrow, which cannot be loaded ({error}). "
            "Install it with: pip install 'rapidbyte[preview]'",
            ErrorInfo("preview_needs_pyarrow"),
        ) from error


def _admit(metadata: FrameMetadata) -> None:
    """Let every frame pass: what is shown is not moved, and needs no ledger."""


def _ignore(_: LogLine | object) -> None:
    """Drop what the connector says, and rows that it cannot read: the others are the only answer."""
