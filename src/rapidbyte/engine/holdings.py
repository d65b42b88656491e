"""The public call that tells what a source keeps for a pipeline between its runs, and drops what was made for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import read_holdings
from rapidbyte.engine.plan import plan_source
from rapidbyte.engine.run import load_pipeline
from rapidbyte.model import Holding, Pipeline
from rapidbyte.wasm import ArtifactCache, Call


def holdings(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    is_dropped: bool = False,
    env: Mapping[str, str] | None = None,
    cancel: Cancellation | None = None,
) -> tuple[Holding, ...]:
    """Return what the pipeline's source keeps for it, such as a replication slot.

    With `is_dropped`, what was made for the pipeline is dropped first, all of it or nothing, and changes that it kept
    are lost. Raises what `run_pipeline` does.
    """
    loaded = load_pipeline(pipeline, env)
    plan = plan_source(loaded, ArtifactCache.of_user())
    request = {"pipeline": loaded.name, "is_dropped": is_dropped}
    with Crew(cancel if cancel is not None else Cancellation()) as crew:
        source = crew.hire(plan)
        crew.result(source.open())
        return crew.result(source.call(Call.HOLDINGS, request, lambda answer: read_holdings(answer, source.name)))
