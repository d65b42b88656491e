"""Whether a stream is moved by several lanes, and by how many. Pure values.

Only what can be taken back whole is: a full refresh, or the first copy before changes, of a table that the source can
cut and the destination makes anew, which the destination has yet to say. Small tables are not worth a second lane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rapidbyte.engine.pace import Pace
from rapidbyte.model import Stream, StreamSpec, SyncMode, WriteMode

_FIRST_LANES = 2
_LEAST_OF_LANE = 2048  # of the extent: 16 MiB of a Postgres table
_LEAST_OF_RANGE = 256
_LEAST_OF_PINNED_LANE = 64
_LEAST_OF_PINNED_RANGE = 16


@dataclass(frozen=True, slots=True)
class Parallelism:
    """At most `lanes` work at once; `is_measured` when fewer will do where they are no slower."""

    lanes: int
    processors: int
    is_measured: bool


@dataclass(frozen=True, slots=True)
class Division:
    """A stream that is cut: ranges of at least `least_range` of its extent, for the lanes of `pace`."""

    extent: int
    least_range: int
    pace: Pace


def divide(spec: StreamSpec, stream: Stream, parallelism: Parallelism) -> Division | None:
    """Decide how a stream is cut; None where one lane moves all of it."""
    is_added = spec.sync_mode is SyncMode.FULL_REFRESH and spec.write_mode is not WriteMode.UPSERT
    if stream.extent is None or not is_added or _lanes_for(stream.extent, parallelism) < 2:
        return None
    return _division(stream.extent, parallelism)


def divide_copies(streams: Mapping[int, Stream], parallelism: Parallelism) -> Mapping[int, Division]:
    """Decide how the first copies of streams of changes are cut; empty where one lane makes all of them.

    They are made at once, so all of them together must be worth another lane.
    """
    extents = {index: stream.extent for index, stream in streams.items() if stream.extent is not None}
    if _lanes_for(sum(extents.values()), parallelism) < 2:
        return {}
    return {index: _division(extent, parallelism) for index, extent in extents.items()}


def _lanes_for(extent: int, parallelism: Parallelism) -> int:
    least = _LEAST_OF_LANE if parallelism.is_measured else _LEAST_OF_PINNED_LANE
    return min(parallelism.lanes, extent // least)


def _division(extent: int, parallelism: Parallelism) -> Division:
    lanes = max(1, _lanes_for(extent, parallelism))
    if not parallelism.is_measured:
        return Division(extent, _LEAST_OF_PINNED_RANGE, Pace.pinned(lanes))
    first = min(_FIRST_LANES, lanes, parallelism.processors)
    return Division(extent, _LEAST_OF_RANGE, Pace(first, lanes))
