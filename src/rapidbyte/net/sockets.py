"""The sockets of one instance behind random handles (docs/ABI.md §7). Reads and writes never block; `wait` does.

Driven by one thread at a time. A handle that is unknown raises NetworkError with code `bad_handle`.
"""

from __future__ import annotations

import secrets
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from rapidbyte.errors import ErrorInfo, NetworkError
from rapidbyte.net.interrupt import Interrupt

_HANDLE_BITS = 62  # positive in the i64 of the ABI


class Interest(IntFlag):
    """What a wait is for; the bits of the ABI."""

    NONE = 0
    READABLE = 1
    WRITABLE = 2


_READ_EVENTS = select.POLLIN | select.POLLERR | select.POLLHUP | select.POLLNVAL
_WRITE_EVENTS = select.POLLOUT | select.POLLERR | select.POLLHUP | select.POLLNVAL


@dataclass(frozen=True, slots=True)
class Watch:
    """One socket to wait for, and for what."""

    handle: int
    interest: Interest


class SocketTable:
    """All sockets an instance holds, at most `max_sockets`."""

    def __init__(self, interrupt: Interrupt, max_sockets: int = 16) -> None:
        self._interrupt = interrupt
        self._max_sockets = max_sockets
        self._sockets: dict[int, socket.socket] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def require_room(self) -> None:
        """Raise NetworkError with code `limit` when no further socket may be added."""
        if len(self._sockets) >= self._max_sockets:
            raise NetworkError(
                f"A connector holds at most {self._max_sockets} sockets. Close some first.", ErrorInfo("limit")
            )

    def add(self, connection: socket.socket) -> int:
        """Own a connected, non-blocking socket and return its handle."""
        handle = secrets.randbits(_HANDLE_BITS)
        while handle in self._sockets:
            handle = secrets.randbits(_HANDLE_BITS)
        self._sockets[handle] = connection
        return handle

    def read(self, handle: int, target: memoryview) -> int | None:
        """Fill `target` as far as bytes are there; 0 is the end of the stream, None that none are there yet.

        Raises NetworkError with code `reset` when the peer broke the connection.
        """
        try:
            return self._socket(handle).recv_into(target) if target else 0
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise _reset(error) from error

    def write(self, handle: int, source: memoryview) -> int | None:
        """Send what the system takes now; None when it takes nothing.

        Raises NetworkError with code `reset` when the peer broke the connection.
        """
        try:
            return self._socket(handle).send(source)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise _reset(error) from error

    def wait(self, watches: Sequence[Watch], timeout_s: float | None) -> tuple[Interest, ...]:
        """Sleep until a watched socket is ready, the time is over, or the interrupt fires; None waits without limit.

        Returns what each is ready for, in the order of `watches`. An error or a hang-up is ready for what was asked.
        """
        events: dict[int, int] = {}
        for watch in watches:
            descriptor = self._socket(watch.handle).fileno()
            events[descriptor] = events.get(descriptor, 0) | _events_of(watch.interest)
        poll = select.poll()
        for descriptor, wanted in events.items():
            poll.register(descriptor, wanted)
        poll.register(self._interrupt, select.POLLIN)
        happened = dict(poll.poll(None if timeout_s is None else timeout_s * 1000))
        return tuple(
            _interest_of(happened.get(self._socket(watch.handle).fileno(), 0), watch.interest) for watch in watches
        )

    def close_one(self, handle: int) -> None:
        """Close a socket; one that is closed already, or never was, is no error."""
        connection = self._sockets.pop(handle, None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close all sockets. Safe to repeat."""
        for handle in tuple(self._sockets):
            self.close_one(handle)

    def _socket(self, handle: int) -> socket.socket:
        connection = self._sockets.get(handle)
        if connection is None:
            raise NetworkError("There is no such socket: it is unknown or closed.", ErrorInfo("bad_handle"))
        return connection


def _events_of(interest: Interest) -> int:
    return (select.POLLIN if Interest.READABLE in interest else 0) | (
        select.POLLOUT if Interest.WRITABLE in interest else 0
    )


def _interest_of(events: int, wanted: Interest) -> Interest:
    ready = Interest.NONE
    if events & _READ_EVENTS:
        ready |= Interest.READABLE
    if events & _WRITE_EVENTS:
        ready |= Interest.WRITABLE
    return ready & wanted


def _reset(error: OSError) -> NetworkError:
    return NetworkError(
        f"The server broke the connection: {error}. See the server's log for the reason.",
        ErrorInfo("reset", retryable=True),
    )
