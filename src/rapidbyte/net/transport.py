"""What moves the bytes of a socket: plainly here, under TLS in `tls_transport`. Nothing of it blocks."""

from __future__ import annotations

import select
import socket
from typing import Protocol

from rapidbyte.errors import ErrorInfo, NetworkError

READ_EVENTS = select.POLLIN | select.POLLERR | select.POLLHUP | select.POLLNVAL
WRITE_EVENTS = select.POLLOUT | select.POLLERR | select.POLLHUP | select.POLLNVAL


_STREAM_BYTES = 8 * 1024  # a read of so much is one of many: a server writes so much at once
_LOW_WATER = 128 * 1024


class Transport(Protocol):
    """A connection behind a handle."""

    is_gathering: bool
    """Whether poll tells of bytes only once many are there; `gather_no_more` ends that, the next large read begins it.

    A stream that is read in few large pieces costs less than one that is read as the sender writes it.
    """

    def gather_no_more(self) -> None:
        """Let poll tell of the first byte again."""

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
        self.is_gathering = False

    def gather_no_more(self) -> None:
        """Let poll tell of the first byte again."""
        self.is_gathering = False
        self._set_low_water(1)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self.connection.fileno()

    def read(self, target: memoryview) -> int | None:
        """Read as `Transport` says."""
        try:
            count = self.connection.recv_into(target) if target else 0
            if count >= _STREAM_BYTES and not self.is_gathering:
                self.is_gathering = True
                self._set_low_water(_LOW_WATER)
            return count
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

    def _set_low_water(self, size_bytes: int) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size_bytes)


def reset_error(error: OSError) -> NetworkError:
    """Return the error for a connection that broke."""
    return NetworkError(
        f"The server broke the connection: {error}. See the server's log for the reason.",
        ErrorInfo("reset", retryable=True),
    )
