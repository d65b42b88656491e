"""The sockets of one instance behind random handles (docs/ABI.md §7). Reads and writes never block; `wait` does.

Driven by one thread at a time. A handle that is unknown raises NetworkError with code `bad_handle`.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag

from rapidbyte.errors import ErrorInfo, NetworkError
from rapidbyte.net.interrupt import Interrupt
from rapidbyte.net.tls_binding import end_point_of
from rapidbyte.net.tls_options import TlsOptions
from rapidbyte.net.tls_transport import TlsTransport, secured
from rapidbyte.net.transport import PlainTransport, Transport

_GATHER_MS = 1
_HANDLE_BITS = 62  # positive in the i64 of the ABI


class Interest(IntFlag):
    """What a wait is for; the bits of the ABI."""

    NONE = 0
    READABLE = 1
    WRITABLE = 2


_READABLE, _WRITABLE = int(Interest.READABLE), int(Interest.WRITABLE)  # flags are slow to compute with


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
        self._transports: dict[int, Transport] = {}

    def __len__(self) -> int:
        return len(self._transports)

    def require_room(self) -> None:
        """Raise NetworkError with code `limit` when no further socket may be added."""
        if len(self._transports) >= self._max_sockets:
            raise NetworkError(
                f"A connector holds at most {self._max_sockets} sockets. Close some first.", ErrorInfo("limit")
            )

    def add(self, connection: socket.socket) -> int:
        """Own a connected, non-blocking socket and return its handle."""
        handle = secrets.randbits(_HANDLE_BITS)
        while handle in self._transports:
            handle = secrets.randbits(_HANDLE_BITS)
        self._transports[handle] = PlainTransport(connection)
        return handle

    def start_tls(self, handle: int, options: TlsOptions, timeout_s: float) -> None:
        """Shake hands, and move all further bytes of the socket under TLS; a failure closes the socket.

        Sleeps at most `timeout_s`, and until the interrupt fires. Raises what `secured` does, and NetworkError with
        code `bad_state` for a socket that speaks TLS already.
        """
        plain = self._transport(handle)
        if not isinstance(plain, PlainTransport):
            raise NetworkError("The socket speaks TLS already.", ErrorInfo("bad_state"))
        del self._transports[handle]
        plain.gather_no_more()
        self._transports[handle] = secured(plain.connection, options, timeout_s, self._interrupt)

    def tls_end_point(self, handle: int) -> bytes:
        """Return the channel binding `tls-server-end-point` (RFC 5929), or nothing where there is none."""
        transport = self._transport(handle)
        return end_point_of(transport.peer_certificate()) if isinstance(transport, TlsTransport) else b""

    def read(self, handle: int, target: memoryview) -> int | None:
        """Fill `target` as far as bytes are there; 0 is the end of the stream, None that none are there yet.

        Raises NetworkError with code `reset` when the peer broke the connection.
        """
        return self._transport(handle).read(target)

    def write(self, handle: int, source: memoryview) -> int | None:
        """Send what the system takes now; None when it takes nothing, and the same bytes are to be written next.

        Raises NetworkError with code `reset` when the peer broke the connection.
        """
        return self._transport(handle).write(source)

    def wait(self, watches: Sequence[Watch], timeout_s: float | None) -> tuple[Interest, ...]:
        """Sleep until a watched socket is ready, the time is over, or the interrupt fires; None waits without limit.

        Returns what each is ready for, in the order of `watches`. An error or a hang-up is ready for what was asked.
        """
        watched = [(self._transport(watch.handle), int(watch.interest)) for watch in watches]
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            happened = self._happened(watched, deadline)
            ready = [_ready(transport, wanted, happened.get(transport.fileno(), 0)) for transport, wanted in watched]
            is_over = deadline is not None and time.monotonic() >= deadline
            if any(ready) or is_over or self._interrupt.reason is not None:
                return tuple(map(Interest, ready))

    def _happened(self, watched: Sequence[tuple[Transport, int]], deadline: float | None) -> dict[int, int]:
        """Return the events of the descriptors; does not sleep where something was read ahead."""
        events: dict[int, int] = {}
        is_ready = False
        for transport, interest in watched:
            reading, writing = bool(interest & _READABLE), bool(interest & _WRITABLE)
            wanted = transport.events_for(reading=reading, writing=writing)
            is_ready = is_ready or (reading and transport.is_readable(0))
            events[transport.fileno()] = events.get(transport.fileno(), 0) | wanted
        poll = select.poll()
        for descriptor, wanted in events.items():
            if wanted:  # poll would tell of a hang-up that nobody asked for, again and again
                poll.register(descriptor, wanted)
        poll.register(self._interrupt, select.POLLIN)
        left_s = 0.0 if is_ready else None if deadline is None else max(0.0, deadline - time.monotonic())
        happened = self._gathered(watched, poll, left_s)
        return dict(happened or poll.poll(None if left_s is None else left_s * 1000))

    def _gathered(
        self, watched: Sequence[tuple[Transport, int]], poll: select.poll, left_s: float | None
    ) -> list[tuple[int, int]]:
        """Return the events once a stream has many bytes; nothing where it is slower, and told of as it comes then."""
        gathering = [transport for transport, _ in watched if transport.is_gathering]
        happened = []
        if gathering and [wanted for _, wanted in watched] == [_READABLE]:  # else the other event would hide the bytes
            happened = poll.poll(_GATHER_MS if left_s is None else min(_GATHER_MS, left_s * 1000))
        if not happened:
            for transport in gathering:
                transport.gather_no_more()
        return happened

    def close_one(self, handle: int) -> None:
        """Close a socket; one that is closed already, or never was, is no error."""
        transport = self._transports.pop(handle, None)
        if transport is not None:
            transport.close()

    def close(self) -> None:
        """Close all sockets. Safe to repeat."""
        for handle in tuple(self._transports):
            self.close_one(handle)

    def _transport(self, handle: int) -> Transport:
        transport = self._transports.get(handle)
        if transport is None:
            raise NetworkError("There is no such socket: it is unknown or closed.", ErrorInfo("bad_handle"))
        return transport


def _ready(transport: Transport, wanted: int, events: int) -> int:
    """Return what of `wanted` a transport is ready for, after poll found `events`."""
    readable = _READABLE if wanted & _READABLE and transport.is_readable(events) else 0
    return readable | (_WRITABLE if wanted & _WRITABLE and transport.is_writable(events) else 0)
