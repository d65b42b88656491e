"""The public call that verifies a pipeline without moving a row."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import NO_RUN, prepare_request, read_findings, read_streams, read_target_plans
from rapidbyte.engine.events import LogLine
from rapidbyte.engine.plan import Plan, make_plan
from rapidbyte.engine.run import load_pipeline
from rapidbyte.engine.stage import Stage
from rapidbyte.model import Check, CheckReport, CheckStatus, Pipeline, Stream, StreamSpec
from rapidbyte.wasm import ArtifactCache, Call


def check_pipeline(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    env: Mapping[str, str] | None = None,
    cancel: Cancellation | None = None,
) -> CheckReport:
    """Verify a pipeline: its document, that both sides can be reached, and that each stream exists and fits.

    Nothing is written. What a connector finds is in the report; a document that is wrong, or a side that cannot be
    reached, raises the same RapidbyteError as a run would.
    """
    loaded = load_pipeline(pipeline, env)
    plan = make_plan(loaded, ArtifactCache.of_user())
    with Crew(cancel if cancel is not None else Cancellation(), _ignore) as crew:
        return CheckReport(tuple(_checks(plan, crew)))


def _checks(plan: Plan, crew: Crew) -> list[Check]:
    source, destination = crew.hire(plan.source), crew.hire(plan.destination)
    opening = source.open(), destination.open()
    checks = []
    for subject, stage, opened in (("source", source, opening[0]), ("destination", destination, opening[1])):
        crew.result(opened)
        checks.append(Check(subject, "connection", CheckStatus.OK, f"{stage.name} is connected"))
        checks += _findings(subject, stage, crew)
    streams = crew.result(
        source.call(
            Call.PREPARE,
            prepare_request(plan.pipeline, NO_RUN, plan.streams, None),
            lambda answer: read_streams(answer, source.name),
        )
    )
    plans = crew.result(
        destination.call(
            Call.PREPARE,
            prepare_request(plan.pipeline, NO_RUN, plan.streams, streams),
            lambda answer: read_target_plans(answer, destination.name),
        )
    )
    for index, (spec, stream) in enumerate(zip(plan.streams, streams, strict=True)):
        checks.append(_readable(spec, stream))
        checks += [Check(spec.name, "schema", CheckStatus.WARN, change) for change in plans.get(index, ())]
    return checks


def _findings(subject: str, stage: Stage, crew: Crew) -> list[Check]:
    found = crew.result(stage.call(Call.CHECK, {}, lambda answer: read_findings(answer, stage.name)))
    return [Check(subject, finding.name, finding.status, finding.message) for finding in found]


def _readable(spec: StreamSpec, stream: Stream) -> Check:
    return Check(spec.name, "stream", CheckStatus.OK, f"{stream.name} has {len(stream.columns)} columns to move")


def _ignore(line: LogLine) -> None:
    """Drop what connectors say: a check reports findings only."""
