"""The public call that verifies a pipeline without moving a row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import read_findings
from rapidbyte.engine.look_up import Probe, Problems, problems_of_streams
from rapidbyte.engine.plan import Plan, make_plan
from rapidbyte.engine.run import load_pipeline
from rapidbyte.engine.stage import Stage
from rapidbyte.errors import RapidbyteError, StateError, error_of
from rapidbyte.model import Check, CheckReport, CheckStatus, Pipeline, StateSpec, Stream, StreamSpec, SyncMode
from rapidbyte.state import open_state
from rapidbyte.wasm import ArtifactCache, Call

# A column that tells of a change, behind those of its table (docs/ABI.md §9).
_OF_EVENT = re.compile(r"_rb_(op|lsn|seq|xid|committed_at|unchanged|old_key|old_[1-9][0-9]*)")


def check_pipeline(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    env: Mapping[str, str] | None = None,
    state_path: Path | None = None,
    cancel: Cancellation | None = None,
) -> CheckReport:
    """Verify a pipeline: its document, its state, that both sides can be reached, and that each stream exists and fits.

    Nothing is written but an empty state where there is none. What a connector finds is in the report; a document that
    is wrong, or a side that cannot be reached, raises the same RapidbyteError as a run would. So do a state that cannot
    be used and streams that cannot be moved, with the problems of all of them in one message.
    """
    loaded = load_pipeline(pipeline, env)
    plan = make_plan(loaded, ArtifactCache.of_user())
    problems: Problems = []
    checks = _state_checks(loaded.state if state_path is None else StateSpec(connection=str(state_path)), problems)
    with Crew(cancel if cancel is not None else Cancellation()) as crew:
        checks += _stream_checks(plan, crew, problems)
    if problems:
        raise _of_all(problems)
    return CheckReport(tuple(checks))


def _state_checks(spec: StateSpec, problems: Problems) -> list[Check]:
    """Open the state as a run would."""
    try:
        with open_state(spec) as state:
            return [Check("state", "store", CheckStatus.OK, f"{state.place} can be used")]
    except StateError as error:
        problems.append(("state", error))
        return []


def _stream_checks(plan: Plan, crew: Crew, problems: Problems) -> list[Check]:
    probe = Probe(plan, crew)
    stages = probe.chain.stages
    ends = {"source": probe.source, "destination": probe.destination}
    checks = [*_opened(ends, "connection", "is connected", crew)]
    transforms = {f"transforms[{place}]": stage for place, stage in enumerate(stages)}
    checks += _opened(transforms, "config", "accepts its config", crew)
    try:
        found = probe.look_up()
    except RapidbyteError as error:
        probe.dismiss()
        problems += problems_of_streams(plan, crew, error)
        return checks
    for index, (spec, stream) in enumerate(zip(plan.streams, found.streams, strict=True)):
        checks.append(_readable(spec, stream))
        if stages:
            checks.append(_reshaped(spec, found.leaving[index]))
        if index in found.changes:
            checks.append(_writable(spec))
            checks += [Check(spec.name, "schema", CheckStatus.WARN, change) for change in found.changes[index]]
    return checks


def _of_all(problems: Problems) -> RapidbyteError:
    """Return the first problem, with the messages of all in its own where there are several."""
    _, first = problems[0]
    if len(problems) == 1:
        return first
    lines = [f"{subject}: {problem.message}" for subject, problem in problems]
    return error_of(first.category, "\n".join([f"There are {len(lines)} problems.", *lines]), first.info)


def _opened(stages: Mapping[str, Stage], name: str, what: str, crew: Crew) -> Iterator[Check]:
    """Open connectors at once, and yield what each of them finds."""
    opening = [stage.open() for stage in stages.values()]
    for (subject, stage), opened in zip(stages.items(), opening, strict=True):
        crew.result(opened)
        yield Check(subject, name, CheckStatus.OK, f"{stage.name} {what}")
        yield from _findings(subject, stage, crew)


def _findings(subject: str, stage: Stage, crew: Crew) -> list[Check]:
    found = crew.result(stage.call(Call.CHECK, {}, lambda answer: read_findings(answer, stage.name)))
    return [Check(subject, finding.name, finding.status, finding.message) for finding in found]


def _readable(spec: StreamSpec, stream: Stream) -> Check:
    is_cdc = spec.sync_mode is SyncMode.CDC
    moved = sum(1 for column in stream.columns if not (is_cdc and _OF_EVENT.fullmatch(column.name)))
    return Check(spec.name, "stream", CheckStatus.OK, f"{stream.name} has {moved} columns to move")


def _reshaped(spec: StreamSpec, stream: Stream) -> Check:
    names = ", ".join(column.name for column in stream.columns)
    return Check(spec.name, "transforms", CheckStatus.OK, f"{len(stream.columns)} columns leave them: {names}")


def _writable(spec: StreamSpec) -> Check:
    message = f"the destination has what {spec.write_mode.value} needs: privileges, types and keys"
    return Check(spec.name, "target", CheckStatus.OK, message)
