"""What an instance is connected to: the channels that it feeds and that feed it, and where it keeps values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from rapidbyte.errors import ErrorInfo, FrameError, InternalError
from rapidbyte.frames import Durable, FrameMetadata, FrameQueue, Rejection
from rapidbyte.model import JsonObject
from rapidbyte.wasm.state_names import StateName


def refuse_rejection(rejection: Rejection) -> None:
    """Take no rejected rows."""
    raise FrameError(f"No row of stream {rejection.stream} can be rejected now.", ErrorInfo("bad_state"))


def refuse_ranges(stream: int) -> tuple[int, int] | None:
    """Cut no stream."""
    raise FrameError(f"Stream {stream} is not read in ranges.", ErrorInfo("bad_state"))


def know_no_position(stream: int) -> JsonObject | None:
    """Have nothing durable."""


def never_stop() -> bool:
    """Ask nobody to end."""
    return False


def ignore_lag(size_bytes: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class StatePort:
    """Where a connector keeps values from one run to the next. Each of these is durable when it returns, or raises."""

    get: Callable[[StateName], bytes | None]
    put: Callable[[StateName, bytes], None]
    compare_and_swap: Callable[[StateName, bytes | None, bytes | None], bool]


def _refuse(name: StateName, *_: bytes | None) -> NoReturn:
    raise InternalError(f"Only a run keeps values, such as {name.name}.", ErrorInfo("bad_state"))


NO_STATE = StatePort(get=lambda _: None, put=_refuse, compare_and_swap=_refuse)


@dataclass(frozen=True, slots=True)
class Outlet:
    """The sending side. `admit` sees each frame before it is queued, and raises to refuse it, as `rejected` may.

    `next_range` gives the next range of a stream to read, None when all are taken, or raises. `durable_position` tells
    where the destination's receipt of a stream is, as far as this run has written it.
    `stop_requested` tells whether a source that has no end should end, and `lag` how many bytes it is ahead.
    """

    queue: FrameQueue
    admit: Callable[[FrameMetadata], None]
    rejected: Callable[[Rejection], None] = refuse_rejection
    next_range: Callable[[int], tuple[int, int] | None] = refuse_ranges
    durable_position: Callable[[int], JsonObject | None] = know_no_position
    stop_requested: Callable[[], bool] = never_stop
    lag: Callable[[int], None] = ignore_lag

    @property
    def has_received(self) -> bool:
        """Nothing is received here."""
        return False

    def finish(self) -> None:
        """Say to the other side that everything came."""
        self.queue.finish()

    def abort(self) -> None:
        """Say to the other side that this one failed."""
        self.queue.abort()


@dataclass(frozen=True, slots=True)
class Inlet:
    """The receiving side. `delivered` sees each frame that the guest got, `durable` each checkpoint, and may refuse.

    `rejected` keeps a row that the guest cannot write before it returns, or raises.
    """

    queue: FrameQueue
    delivered: Callable[[FrameMetadata], None]
    durable: Callable[[Durable], None]
    rejected: Callable[[Rejection], None] = refuse_rejection

    @property
    def has_received(self) -> bool:
        """Whether a frame was taken."""
        return self.queue.has_given

    def finish(self) -> None:
        """Say nothing: nobody comes after it."""

    def abort(self) -> None:
        """Say to the other side that this one failed."""
        self.queue.abort()


@dataclass(frozen=True, slots=True)
class Relay:
    """Both sides, for a transform: what it takes from `upstream`, it gives on to `downstream`, or accounts for."""

    upstream: FrameQueue
    downstream: FrameQueue
    taken: Callable[[FrameMetadata], None]
    admit: Callable[[FrameMetadata], None]
    rejected: Callable[[Rejection], None] = refuse_rejection

    @property
    def has_received(self) -> bool:
        """Whether a frame was taken."""
        return self.upstream.has_given

    def finish(self) -> None:
        """Say to the side that comes after it that everything came."""
        self.downstream.finish()

    def abort(self) -> None:
        """Say to both sides that this one failed."""
        self.upstream.abort()
        self.downstream.abort()


Port = Inlet | Outlet | Relay
