"""What moves the bytes of a socket: plainly here, under TLS in `tls_transport`. Nothing of it blocks."""

from __future__ import annotations

import select
import socket
from typing import Protocol

from rapidbyte.errors import ErrorInfo, NetworkError

READ_EVENTS = select.POLLIN | select.POLLERR | select.POLLHUP | select.POLLNVAL
WRITE_EVENTS = select.POLLOUT | select.POLLERR | select.POLLHUP | select.POLLNVAL


class Transport(Protocol):
    """A connection behind a handle."""

    def fileno(self) -> int:
        """The descriptor to poll."""

    def read(self, target: memoryview) -> int | None:
        """Fill `target` as far as bytes are there; 0 is the end of the stream, None that none are there yet.

        Raises NetworkError with code `reset` when the peer broke the connection.
        """

    def write(self, source: memoryview) -> int | None:
        """Send what can be taken now; None when nothing can. Raises NetworkError with code `reset`."""

    def events_for(self, *, reading: bool, writing: bool) -> int:
        """Return what to poll for; 0 where a read would give something without it."""

    def is_readable(self, events: int) -> bool:
        """Return whether a read gives bytes, the end or an error, after poll found `events`."""

    def is_writable(self, events: int) -> bool:
        """Return whether it is worth to try a write, after poll found `events`."""

    def close(self) -> None:
        """End the connection."""


class PlainTransport:
    """A connected, non-blocking socket, which it owns."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self.connection.fileno()

    def read(self, target: memoryview) -> int | None:
        """Read as `Transport` says."""
        try:
            return self.connection.recv_into(target) if target else 0
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise reset_error(error) from error

    def write(self, source: memoryview) -> int | None:
        """Write as `Transport` says."""
        try:
            return self.connection.send(source)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise reset_error(error) from error

    def events_for(self, *, reading: bool, writing: bool) -> int:
        """Poll for just what is wanted."""
        return (select.POLLIN if reading else 0) | (select.POLLOUT if writing else 0)

    def is_readable(self, events: int) -> bool:
        """Take poll's word."""
        return bool(events & READ_EVENTS)

    def is_writable(self, events: int) -> bool:
        """Take poll's word."""
        return bool(events & WRITE_EVENTS)

    def close(self) -> None:
        """Close the socket."""
        self.connection.close()


def reset_error(error: OSError) -> NetworkError:
    """Return the error for a connection that broke."""
    return NetworkError(
        f"The server broke the connection: {error}. See the server's log for the reason.",
        ErrorInfo("reset", retryable=True),
    )
