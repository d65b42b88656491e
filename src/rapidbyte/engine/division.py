"""Whether a stream is moved by several lanes, and by how many. Pure values.

Only what can be taken back whole is: a full refresh of a table that the source can cut and the destination makes anew,
which the destination has yet to say. Small tables are not worth a second lane.
"""

from __future__ import annotations

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
    if stream.extent is None or not is_added:
        return None
    is_measured = parallelism.is_measured
    lanes = min(parallelism.lanes, stream.extent // (_LEAST_OF_LANE if is_measured else _LEAST_OF_PINNED_LANE))
    if lanes < 2:
        return None
    if not is_measured:
        return Division(stream.extent, _LEAST_OF_PINNED_RANGE, Pace.pinned(lanes))
    first = min(_FIRST_LANES, lanes, parallelism.processors)
    return Division(stream.extent, _LEAST_OF_RANGE, Pace(first, lanes))
