"""The public call that runs a pipeline, and the record of the run."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rapidbyte.config import load
from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.events import ConnectorCompiling, Event, RunFinished, RunStarted
from rapidbyte.engine.keeping import Keeping
from rapidbyte.engine.plan import make_plan
from rapidbyte.engine.points import reach
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.transfer import Transfer
from rapidbyte.errors import CancelledRunError, ErrorInfo, InternalError, RapidbyteError, StateError
from rapidbyte.model import Pipeline, RunReport, RunStatus, StateSpec
from rapidbyte.state import RunStore, open_state
from rapidbyte.wasm import ArtifactCache, Manifest


def run_pipeline(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    env: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] | None = None,
    state_path: Path | None = None,
    cancel: Cancellation | None = None,
) -> RunReport:
    """Run a pipeline and return what it moved; blocks until every row is durable at the destination.

    `pipeline` is the path of a document, its values, or one that was loaded before; `env` is for its substitution, by
    default the process's own. Events come on the calling thread. `state_path` is a file that takes the place of the
    document's state. A run that fails or is cancelled leaves unfinished streams unchanged at the destination.
    Raises RapidbyteError of all kinds; what `on_event` raises ends the run and is passed on, and so is Ctrl-C.
    """
    loaded = load_pipeline(pipeline, env)
    tell = on_event if on_event is not None else _tell_nobody
    run_id = uuid.uuid4().hex
    started_s = time.monotonic()
    with (
        open_state(loaded.state if state_path is None else StateSpec(connection=str(state_path))) as state,
        _recorded(state.runs, run_id, loaded),
    ):
        plan = make_plan(loaded, ArtifactCache.of_user(lambda manifest: tell(_compiling(manifest))))
        tell(RunStarted(run_id, loaded.name, tuple(stream.name for stream in loaded.streams)))
        keeping = Keeping(loaded.name, loaded.streams, state.connectors)
        with Crew(cancel if cancel is not None else Cancellation(), tell, keeping.port_of) as crew:
            reach("engine.started")
            rejects = Rejects(loaded.name, run_id, loaded.streams, state.dead_letters)
            streams = Transfer(plan, run_id, crew, rejects, tell).execute()
        took_s = time.monotonic() - started_s
        report = RunReport(run_id, loaded.name, RunStatus.COMPLETED, took_s, streams, crew.usage)
        reach("engine.before_record")
        state.runs.finish(report, datetime.now(UTC))
    tell(RunFinished(report))
    return report


def load_pipeline(
    pipeline: Path | str | Mapping[str, object] | Pipeline, env: Mapping[str, str] | None = None
) -> Pipeline:
    """Return the pipeline itself, or load it. Raises DocumentError and ConfigError."""
    return pipeline if isinstance(pipeline, Pipeline) else load(pipeline, env)


@contextmanager
def _recorded(store: RunStore, run_id: str, pipeline: Pipeline) -> Iterator[None]:
    """Record that the run started and, if the block raises, how it ended."""
    store.start(run_id, pipeline.name, datetime.now(UTC))
    try:
        yield
    except BaseException as error:
        try:
            store.fail(run_id, _status_of(error), _as_recorded(error), datetime.now(UTC))
        except StateError as state_error:
            error.add_note(f"The failure could not be recorded either: {state_error}")
        raise


def _compiling(manifest: Manifest) -> ConnectorCompiling:
    return ConnectorCompiling(f"{manifest.kind.value} {manifest.name}")


def _status_of(error: BaseException) -> RunStatus:
    is_cancelled = isinstance(error, (CancelledRunError, KeyboardInterrupt))
    return RunStatus.CANCELLED if is_cancelled else RunStatus.FAILED


def _as_recorded(error: BaseException) -> RapidbyteError:
    if isinstance(error, RapidbyteError):
        return error
    if isinstance(error, KeyboardInterrupt):
        return CancelledRunError("The run was interrupted from the keyboard.")
    return InternalError(f"{type(error).__name__}: {error}", ErrorInfo("engine"))


def _tell_nobody(event: Event) -> None:
    """Stand in for a caller who does not listen."""
