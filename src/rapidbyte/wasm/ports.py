"""What a running instance is connected to: the channel it feeds, or the one that feeds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import Durable, FrameMetadata, FrameQueue, Rejection


def refuse_rejection(rejection: Rejection) -> None:
    """Take no rejected rows."""
    raise FrameError(f"No row of stream {rejection.stream} can be rejected now.", ErrorInfo("bad_state"))


@dataclass(frozen=True, slots=True)
class Outlet:
    """The sending side. `admit` sees each frame before it is queued, and raises to refuse it, as `rejected` may."""

    queue: FrameQueue
    admit: Callable[[FrameMetadata], None]
    rejected: Callable[[Rejection], None] = refuse_rejection


@dataclass(frozen=True, slots=True)
class Inlet:
    """The receiving side. `delivered` sees each frame that the guest got, `durable` each checkpoint, and may refuse.

    `rejected` keeps a row that the guest cannot write before it returns, or raises.
    """

    queue: FrameQueue
    delivered: Callable[[FrameMetadata], None]
    durable: Callable[[Durable], None]
    rejected: Callable[[Rejection], None] = refuse_rejection
