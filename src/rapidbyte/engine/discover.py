"""The public call that lists what a pipeline's source offers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import read_streams
from rapidbyte.engine.plan import plan_source
from rapidbyte.engine.run import load_pipeline
from rapidbyte.model import Catalog, Pipeline
from rapidbyte.wasm import ArtifactCache, Call


def discover(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    env: Mapping[str, str] | None = None,
    cancel: Cancellation | None = None,
) -> Catalog:
    """Return the streams that the pipeline's source can read. Raises what `run_pipeline` does."""
    plan = plan_source(load_pipeline(pipeline, env), ArtifactCache.of_user())
    with Crew(cancel if cancel is not None else Cancellation()) as crew:
        source = crew.hire(plan)
        crew.result(source.open())
        return Catalog(crew.result(source.call(Call.DISCOVER, {}, lambda answer: read_streams(answer, source.name))))
