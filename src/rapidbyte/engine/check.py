"""The public call that verifies a pipeline without moving a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.chain import Chain
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
    chain = Chain(plan, crew)
    checks = [*_opened({"source": source, "destination": destination}, "connection", "is connected", crew)]
    transforms = {f"transforms[{place}]": stage for place, stage in enumerate(chain.stages)}
    checks += _opened(transforms, "config", "accepts its config", crew)
    streams = crew.result(
        source.call(
            Call.PREPARE,
            prepare_request(plan.pipeline, NO_RUN, plan.streams, None),
            lambda answer: read_streams(answer, source.name),
        )
    )
    leaving = streams
    for place in range(len(chain.stages)):
        leaving = crew.result(chain.prepare(place, NO_RUN, leaving)).streams
    plans = crew.result(
        destination.call(
            Call.PREPARE,
            prepare_request(plan.pipeline, NO_RUN, plan.streams, leaving),
            lambda answer: read_target_plans(answer, destination.name),
        )
    )
    for index, (spec, stream) in enumerate(zip(plan.streams, streams, strict=True)):
        checks.append(_readable(spec, stream))
        if chain.stages:
            checks.append(_reshaped(spec, leaving[index]))
        if index in plans:
            checks.append(_writable(spec))
            checks += [Check(spec.name, "schema", CheckStatus.WARN, change) for change in plans[index]]
    return checks


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
    return Check(spec.name, "stream", CheckStatus.OK, f"{stream.name} has {len(stream.columns)} columns to move")


def _reshaped(spec: StreamSpec, stream: Stream) -> Check:
    names = ", ".join(column.name for column in stream.columns)
    return Check(spec.name, "transforms", CheckStatus.OK, f"{len(stream.columns)} columns leave them: {names}")


def _writable(spec: StreamSpec) -> Check:
    message = f"the destination has what {spec.write_mode.value} needs: privileges, types and keys"
    return Check(spec.name, "target", CheckStatus.OK, message)


def _ignore(line: LogLine) -> None:
    """Drop what connectors say: a check reports findings only."""
