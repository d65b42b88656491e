"""The border between imports and the runtime: every exception becomes a status, and none gets through.

The bindings keep the last exception of a callback in one place for the whole process, so that one guest's error would
surface in another. Hence an import never raises; the original stays on the instance.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from rapidbyte.errors import RapidbyteError
from rapidbyte.net import Interrupt, InterruptReason
from rapidbyte.wasm.abi import Status

_STATUS_BY_CODE: Mapping[str, Status] = {
    "aborted": Status.ABORTED,
    "closed": Status.CLOSED,
    "bad_pointer": Status.BAD_POINTER,
    "bad_handle": Status.BAD_HANDLE,
    "bad_state": Status.BAD_STATE,
    "out_of_bounds": Status.OUT_OF_BOUNDS,
    "too_large": Status.TOO_LARGE,
    "limit": Status.LIMIT,
    "invalid_argument": Status.INVALID_ARGUMENT,
    "denied": Status.DENIED,
    "not_found": Status.NOT_FOUND,
    "refused": Status.REFUSED,
    "reset": Status.RESET,
    "timed_out": Status.TIMED_OUT,
    "tls_failed": Status.TLS_FAILED,
    "tls_untrusted": Status.UNTRUSTED,
    "tls_files": Status.BAD_FILE,
}
_STATUS_BY_REASON: Mapping[InterruptReason, Status] = {
    InterruptReason.CANCELLED: Status.CANCELLED,
    InterruptReason.TIMED_OUT: Status.TIMED_OUT,
}
_ENDED_BY_INTERRUPT = frozenset(("aborted", "interrupted"))


@dataclass(slots=True)
class Refusals:
    """What went wrong in an instance's imports: `message` is the last one, `host_error` where we are at fault.

    `has_aborted_peer` tells that the guest learned of a failure at the other end of the channel; `calls` counts all
    calls of imports.
    """

    interrupt: Interrupt
    is_closed: bool = False
    message: str = ""
    host_error: BaseException | None = None
    has_aborted_peer: bool = False
    calls: int = 0

    def status_of(self, error: BaseException) -> Status:
        """Take note of an error and return the status that stands for it."""
        if not isinstance(error, RapidbyteError):
            self.message = f"The host failed: {type(error).__name__}: {error}"
            self.host_error = error
            return Status.INTERNAL
        self.message = error.message
        reason = self.interrupt.reason
        if reason is not None and error.code in _ENDED_BY_INTERRUPT:
            return _STATUS_BY_REASON[reason]
        status = _STATUS_BY_CODE.get(error.code)
        if status is None:
            self.host_error = error
            return Status.INTERNAL
        self.has_aborted_peer = self.has_aborted_peer or status is Status.ABORTED
        return status

    def cause_of(self, error: BaseException) -> BaseException | None:
        """Return what lies behind a guest's error: a failure of the host, or what it was made from."""
        return error.__cause__ if self.host_error is None else self.host_error

    def interrupted(self) -> Status | None:
        """Return the status of an instance that was told to stop, or None while it may go on."""
        reason = self.interrupt.reason
        if reason is None:
            return None
        self.message = "The connector was told to stop."
        return _STATUS_BY_REASON[reason]


class Guarded(Protocol):
    """An owner of imports."""

    refusals: Refusals


_Owner = TypeVar("_Owner", bound=Guarded)
_Parameters = ParamSpec("_Parameters")
_Import = Callable[Concatenate[_Owner, _Parameters], int]


def guarded(function: _Import[_Owner, _Parameters]) -> _Import[_Owner, _Parameters]:
    """Make an import of a method: it answers CLOSED once the instance is closed, and never raises."""

    @functools.wraps(function)
    def answer(owner: _Owner, /, *args: _Parameters.args, **kwargs: _Parameters.kwargs) -> int:
        refusals = owner.refusals
        refusals.calls += 1
        if refusals.is_closed:
            return Status.CLOSED
        try:
            return function(owner, *args, **kwargs)
        except BaseException as error:
            return refusals.status_of(error)

    return answer
