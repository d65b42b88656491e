"""The public call that shows the first rows of a pipeline's streams, and writes none of them anywhere."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rapidbyte.engine.blame import of_sender
from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.chain import Chain
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import NO_RUN, prepare_request, read_streams, run_request
from rapidbyte.engine.events import LogLine
from rapidbyte.engine.ledger import Ledger
from rapidbyte.engine.plan import Plan, make_plan
from rapidbyte.engine.run import load_pipeline
from rapidbyte.errors import ConfigError, ErrorInfo, FrameError
from rapidbyte.frames import FrameKind
from rapidbyte.model import CheckpointInterval, Pipeline, Stream, StreamPreview, StreamSpec, SyncMode
from rapidbyte.wasm import ArtifactCache, Call, Outlet

_ROWS = "rapidbyte.engine.preview_rows"  # by name: it needs a library that not everybody has


def preview_pipeline(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    limit: int = 10,
    env: Mapping[str, str] | None = None,
    cancel: Cancellation | None = None,
) -> tuple[StreamPreview, ...]:
    """Return at most `limit` rows of each stream, from its start and through the transforms; no destination is asked.

    Raises what `run_pipeline` does, FrameError, and ConfigError with code `preview_needs_pyarrow`.
    """
    text_of_rows = _text_of_rows()
    loaded = load_pipeline(pipeline, env)
    plan = make_plan(loaded, ArtifactCache.of_user())
    cancellation = cancel if cancel is not None else Cancellation()
    previews = []
    for index, spec in enumerate(loaded.streams):
        stream, frames = _first_frames(plan, index, limit, cancellation)
        try:
            rows = text_of_rows(frames, limit)
        except FrameError as error:
            raise of_sender(error, plan.sender_to(len(plan.transforms)), "the preview") from error
        previews.append(StreamPreview(spec.name, stream.columns, rows))
    return tuple(previews)


def _first_frames(plan: Plan, index: int, limit: int, cancellation: Cancellation) -> tuple[Stream, list[bytes]]:
    """Return a stream and its first frames, the schema among them, from connectors that are stopped after them."""
    frames: list[bytes] = []
    ledger = Ledger(index, len(plan.transforms))
    with Crew(cancellation, _ignore) as crew:
        source, chain = crew.hire(plan.source), Chain(plan, crew)
        for opening in (source.open(), *chain.open()):
            crew.result(opening)
        specs = tuple(_as_it_is(spec) for spec in plan.streams)
        prepare = prepare_request(plan.pipeline, NO_RUN, specs, None)
        streams = crew.result(source.call(Call.PREPARE, prepare, lambda answer: read_streams(answer, source.name)))
        for place in range(len(chain.stages)):
            streams = crew.result(chain.prepare(place, NO_RUN, streams)).streams
        queues = chain.queues()
        request = run_request(index, limit, plan.source.max_frame_bytes // 2, None, CheckpointInterval())
        running = source.run(request, Outlet(queues[0], ledger.sent, _ignore), _ignore)
        last, queue = [running, *chain.run(index, request, queues, ledger, lambda _: _ignore)][-1], queues[-1]
        rows = 0
        while rows < limit:
            is_over = last in crew.wait_any((last,)) if not len(queue) else False
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
        for passage in queues:
            passage.abort()
        crew.stop()
    return streams[index], frames


def _as_it_is(spec: StreamSpec) -> StreamSpec:
    """Look at the table where a run would read its changes, which takes a slot."""
    return replace(spec, sync_mode=SyncMode.FULL_REFRESH) if spec.sync_mode is SyncMode.CDC else spec


def _text_of_rows() -> Any:
    try:
        return importlib.import_module(_ROWS).text_of_rows
    except ImportError as error:
        raise ConfigError(
            f"Showing rows needs the library pyarrow, which cannot be loaded ({error}). "
            "Install it with: pip install 'rapidbyte[preview]'",
            ErrorInfo("preview_needs_pyarrow"),
        ) from error


def _ignore(_: LogLine | object) -> None:
    """Drop what connectors say, and rows that they reject: the others are the only answer."""
