"""What a running instance is connected to: the channel it feeds, or the one that feeds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rapidbyte.frames import Durable, FrameMetadata, FrameQueue


@dataclass(frozen=True, slots=True)
class Outlet:
    """The sending side. `admit` sees each frame before it is queued, and raises to refuse it."""

    queue: FrameQueue
    admit: Callable[[FrameMetadata], None]


@dataclass(frozen=True, slots=True)
class Inlet:
    """The receiving side. `delivered` sees each frame that the guest got, `durable` each checkpoint, and may refuse."""

    queue: FrameQueue
    delivered: Callable[[FrameMetadata], None]
    durable: Callable[[Durable], None]
