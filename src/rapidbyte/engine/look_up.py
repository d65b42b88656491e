"""Looking the streams of a plan up, along their whole way, and move no row: what each is, and all that is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rapidbyte.engine.chain import Chain
from rapidbyte.engine.crew import Crew
from rapidbyte.engine.documents import NO_RUN, prepare_request, read_streams, read_target_plans
from rapidbyte.engine.plan import Plan
from rapidbyte.errors import Category, RapidbyteError
from rapidbyte.model import Stream, StreamSpec
from rapidbyte.wasm import Call

_OF_ONE_STREAM = (Category.CONFIG, Category.SCHEMA, Category.PERMISSION, Category.DATA)

Problems = list[tuple[str, RapidbyteError]]  # by the stream that each is of


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Streams as the source has them, as they leave the transforms, and what the destination will change for each."""

    streams: tuple[Stream, ...]
    leaving: tuple[Stream, ...]
    changes: Mapping[int, tuple[str, ...]]


class Probe:
    """The connectors of a plan, one of each, whose failures do not end the crew that owns them."""

    def __init__(self, plan: Plan, crew: Crew) -> None:
        self._plan = plan
        self._crew = crew
        self._failures: list[BaseException] = []  # each comes out of its future, too
        self.source = crew.hire(plan.source, self._failures)
        self.chain = Chain(plan, crew, self._failures)
        self.destination = crew.hire(plan.destination, self._failures)

    def look_up(self) -> LookedUp:
        """Prepare the streams at each of the connectors, which are open. Raises the first error."""
        plan, crew = self._plan, self._crew
        asked = prepare_request(plan.pipeline, NO_RUN, plan.streams, None)
        name = self.source.name
        streams = crew.result(self.source.call(Call.PREPARE, asked, lambda answer: read_streams(answer, name)))
        leaving = streams
        for place in range(len(self.chain.stages)):
            leaving = crew.result(self.chain.prepare(place, NO_RUN, leaving)).streams
        written = prepare_request(plan.pipeline, NO_RUN, plan.streams, leaving)
        target = self.destination.name
        plans = self.destination.call(Call.PREPARE, written, lambda answer: read_target_plans(answer, target))
        return LookedUp(streams, leaving, crew.result(plans))

    def open(self) -> None:
        """Open all of the connectors."""
        for opening in (self.source.open(), *self.chain.open(), self.destination.open()):
            self._crew.result(opening)

    def dismiss(self) -> None:
        """Close them."""
        self._crew.dismiss((self.source, *self.chain.stages, self.destination))


def problems_of_streams(plan: Plan, crew: Crew, first: RapidbyteError) -> Problems:
    """Look each stream up by itself, since all together failed with `first`, and return what is wrong with which.

    Those that are right by themselves are looked up together, too. Raises `first` where it is not about a stream, and
    what else is not.
    """
    if first.category not in _OF_ONE_STREAM:
        raise first
    if len(plan.streams) == 1:
        return [(plan.streams[0].name, first)]
    found: Problems = []
    right: list[StreamSpec] = []
    for spec in plan.streams:
        problem = _problem_of((spec,), plan, crew)
        if problem is None:
            right.append(spec)
        else:
            found.append((spec.name, problem))
    if not found:
        together: RapidbyteError | None = first
    else:
        together = _problem_of(tuple(right), plan, crew) if len(right) > 1 else None
    return found if together is None else [*found, ("streams", together)]


def _problem_of(streams: tuple[StreamSpec, ...], plan: Plan, crew: Crew) -> RapidbyteError | None:
    """Look streams up by connectors of their own. Raises what is not about streams."""
    probe = Probe(replace(plan, streams=streams), crew)
    try:
        probe.open()
        probe.look_up()
    except RapidbyteError as error:
        if error.category not in _OF_ONE_STREAM:
            raise
        return error
    finally:
        probe.dismiss()
    return None
