"""The public call that loads rejected rows into the destination after all, each exactly once.

A batch of letters is claimed, written with the id of the claim in the same transaction, and then noted as replayed.
Whatever is killed in between, the next replay asks the destination which claim it committed.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.chain import Chain
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import NO_RUN, prepare_request, read_streams
from rapidbyte.engine.events import Event, StreamFinished, StreamProgress, StreamStarted
from rapidbyte.engine.plan import Plan, make_plan
from rapidbyte.engine.points import reach
from rapidbyte.engine.replay_letters import Batch, batches, reason_to_keep
from rapidbyte.engine.replay_stage import ReplayStage
from rapidbyte.engine.run import load_pipeline
from rapidbyte.errors import ConfigError, ErrorInfo
from rapidbyte.frames import Rejection
from rapidbyte.model import KeptLetter, Pipeline, ReplayReport, StateSpec, Stream, StreamReplay, StreamReport
from rapidbyte.state import RejectedAt, Selection, State, StoredLetter, open_state
from rapidbyte.wasm import ArtifactCache, Call

_PAGE = 256


def replay_dead_letters(
    pipeline: Path | str | Mapping[str, object] | Pipeline,
    *,
    letter_ids: Collection[int] = (),
    stream: str | None = None,
    run_id: str | None = None,
    is_dry: bool = False,
    env: Mapping[str, str] | None = None,
    on_event: Callable[[Event], None] | None = None,
    state_path: Path | None = None,
    cancel: Cancellation | None = None,
) -> ReplayReport:
    """Write the rows of a pipeline's dead letters that wait, or of those that are named, and return what came of each.

    A row that the destination refuses again stays in the queue, with its new reason. `is_dry` only looks at letters.
    Raises ConfigError for letters that do not wait, and what `run_pipeline` does; what was committed before stays so.
    """
    loaded = load_pipeline(pipeline, env)
    with open_state(loaded.state if state_path is None else StateSpec(connection=str(state_path))) as state:
        last_run_at = state.runs.last_completed(loaded.name)
        wanted = _Wanted(state, loaded, frozenset(letter_ids), stream, run_id, last_run_at)
        wanted.require_known()
        if is_dry:
            return _report(loaded, [_looked_at(wanted, name) for name in wanted.streams()], is_dry=True)
        names = wanted.streams()
        if not names:
            return _report(loaded, [], is_dry=False)
        plan = make_plan(loaded, ArtifactCache.of_user())
        with Crew(cancel if cancel is not None else Cancellation(), on_event or _ignore) as crew:
            streams = _described(plan, crew)
            stage = ReplayStage(plan, crew)
            replays = [
                _Replay(wanted, plan, stage, on_event or _ignore).execute(name, streams.get(name)) for name in names
            ]
    return _report(loaded, replays, is_dry=False)


@dataclass(slots=True)
class _Outcome:
    """What came of the letters of a stream."""

    name: str
    replayed: int = 0
    kept: dict[int, str] = field(default_factory=dict)  # by letter, why


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The letters that a replay is about."""

    state: State
    pipeline: Pipeline
    letter_ids: frozenset[int]
    stream: str | None
    run_id: str | None
    last_run_at: datetime | None  # when the last run that came to its end began

    def require_known(self) -> None:
        """Raise ConfigError for an id that is not that of a letter of the pipeline which waits."""
        for letter_id in sorted(self.letter_ids):
            stored = self.state.dead_letters.get(letter_id)
            if stored is None or stored.letter.pipeline != self.pipeline.name or stored.replayed_at is not None:
                raise ConfigError(
                    f"There is no rejected row {letter_id} of pipeline {self.pipeline.name} that waits. `rapidbyte dlq "
                    "list` lists those there are.",
                    ErrorInfo("dlq_not_found"),
                )

    def streams(self) -> tuple[str, ...]:
        """Return the streams that have letters, in the order of the pipeline; those it has no longer come last."""
        found = self.state.replays.streams(self.pipeline.name)
        known = [spec.name for spec in self.pipeline.streams if spec.name in found]
        names = (*known, *(name for name in found if name not in known))
        return tuple(name for name in names if self.stream in (None, name) and self.count(name))

    def count(self, name: str) -> int:
        """Return how many letters of a stream are meant."""
        if self.letter_ids:
            return sum(1 for _ in self.letters(name))
        return self.state.dead_letters.count(Selection(self.pipeline.name, name, self.run_id, is_waiting=True))

    def letters(self, name: str) -> Iterator[StoredLetter]:
        """Yield the letters of a stream in the order in which they came; each is read when its turn comes."""
        wanted, after = Selection(self.pipeline.name, name, self.run_id, is_waiting=True), 0
        while page := self.state.dead_letters.ids(wanted, _PAGE, after):
            after = page[-1]
            for letter_id in page:
                if self.letter_ids and letter_id not in self.letter_ids:
                    continue
                stored = self.state.dead_letters.get(letter_id)  # one by one: rows may be large
                if stored is not None and stored.replayed_at is None:
                    yield stored

    def kept(self, stored: StoredLetter, stream: Stream | None) -> str | None:
        """Say why a letter cannot be replayed, or return None."""
        spec = next((spec for spec in self.pipeline.streams if spec.name == stored.letter.stream), None)
        if self.pipeline.transforms and stored.letter.rejected_at is not RejectedAt.DESTINATION:
            return "the pipeline's transforms have to see it; run the pipeline where it reads the row again"
        return reason_to_keep(stored, spec, stream, self.last_run_at)


class _Replay:
    """The replay of one stream's letters."""

    def __init__(self, wanted: _Wanted, plan: Plan, stage: ReplayStage, on_event: Callable[[Event], None]) -> None:
        self._wanted = wanted
        self._plan = plan
        self._stage = stage
        self._on_event = on_event
        self._started_s = time.monotonic()

    def execute(self, name: str, stream: Stream | None) -> _Outcome:
        """Replay the letters of the stream `name`, which is `stream` at the source, or no stream any more."""
        outcome = _Outcome(name)
        if stream is None:
            outcome.kept = {s.letter_id: self._wanted.kept(s, None) or "" for s in self._wanted.letters(name)}
            return outcome
        index = next(place for place, spec in enumerate(self._plan.streams) if spec.name == name)
        self._on_event(StreamStarted(name, self._wanted.count(name)))
        outcome.replayed = self._settle(name, self._stage.committed(index, stream, uuid.uuid4().hex))
        read_bytes = 0
        for batch in self._batches(name, stream, outcome):
            self._replay(batch, index, stream, outcome)
            read_bytes += batch.size_bytes
            read = outcome.replayed + len(outcome.kept)
            self._on_event(StreamProgress(name, read, outcome.replayed, read_bytes))
        self._on_event(StreamFinished(self._finished(outcome, read_bytes)))
        return outcome

    def _batches(self, name: str, stream: Stream, outcome: _Outcome) -> Iterator[Batch]:
        """Yield what can be replayed, and note what cannot."""

        def whole() -> Iterator[StoredLetter]:
            for stored in self._wanted.letters(name):
                reason = self._wanted.kept(stored, stream)
                if reason is None:
                    yield stored
                else:
                    outcome.kept[stored.letter_id] = reason

        return batches(whole(), self._plan.batch_bytes)

    def _replay(self, batch: Batch, index: int, stream: Stream, outcome: _Outcome) -> None:
        replay_id = uuid.uuid4().hex
        replays = self._wanted.state.replays
        claimed = replays.claim(batch.letter_ids, replay_id)
        batch = _without_others(batch, claimed)
        if not batch.letter_ids:
            return
        reach("replay.claimed")

        def refused(letter_id: int, rejection: Rejection) -> None:
            replays.reject(letter_id, rejection.category, rejection.code, rejection.reasons)
            outcome.kept[letter_id] = f"refused again: {rejection.reasons[0]}"

        self._stage.committed(index, stream, replay_id)
        self._stage.replay(batch, stream, refused)
        reach("replay.committed")
        outcome.replayed += self._settle(outcome.name, replay_id)
        reach("replay.settled")

    def _settle(self, name: str, committed: str | None) -> int:
        return self._wanted.state.replays.settle(self._wanted.pipeline.name, name, committed, datetime.now(UTC))

    def _finished(self, outcome: _Outcome, read_bytes: int) -> StreamReport:
        duration_s = time.monotonic() - self._started_s
        read = outcome.replayed + len(outcome.kept)
        return StreamReport(outcome.name, read, outcome.replayed, read_bytes, 0, duration_s, 1, len(outcome.kept))


def _described(plan: Plan, crew: Crew) -> Mapping[str, Stream]:
    """Ask the source, and the transforms after it, what leaves them, by the streams' names; no row is read."""
    source, chain = crew.hire(plan.source), Chain(plan, crew)
    for opening in (source.open(), *chain.open()):
        crew.result(opening)
    prepare = prepare_request(plan.pipeline, NO_RUN, plan.streams, None)
    streams = crew.result(source.call(Call.PREPARE, prepare, lambda answer: read_streams(answer, source.name)))
    for place in range(len(chain.stages)):
        streams = crew.result(chain.prepare(place, NO_RUN, streams)).streams
    crew.dismiss((source, *chain.stages))
    return {spec.name: stream for spec, stream in zip(plan.streams, streams, strict=True)}


def _looked_at(wanted: _Wanted, name: str) -> _Outcome:
    outcome = _Outcome(name)
    for stored in wanted.letters(name):
        reason = wanted.kept(stored, None)
        if reason is None:
            outcome.replayed += 1
        else:
            outcome.kept[stored.letter_id] = reason
    return outcome


def _without_others(batch: Batch, claimed: Collection[int]) -> Batch:
    """Leave out letters that somebody else has taken or deleted since they were read."""
    places = [place for place, letter_id in enumerate(batch.letter_ids) if letter_id in claimed]
    return Batch(
        tuple(batch.letter_ids[place] for place in places),
        batch.columns,
        tuple(batch.rows[place] for place in places),
        batch.size_bytes,
    )


def _report(pipeline: Pipeline, outcomes: Sequence[_Outcome], *, is_dry: bool) -> ReplayReport:
    return ReplayReport(
        pipeline=pipeline.name,
        is_dry=is_dry,
        streams=tuple(
            StreamReplay(
                outcome.name,
                outcome.replayed,
                tuple(KeptLetter(letter_id, reason) for letter_id, reason in sorted(outcome.kept.items())),
            )
            for outcome in outcomes
        ),
    )


def _ignore(_: Event) -> None:
    """Stand in for a caller who does not listen."""
