"""Connecting: the rules first, then the name, then every address until one answers or the time is over.

Nothing here sleeps where an interrupt cannot wake it.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rapidbyte.errors import ErrorInfo, NetworkError, PermissionDeniedError
from rapidbyte.net.acl import HostRules
from rapidbyte.net.interrupt import Interrupt

_RETRY_S = 0.02  # between two looks for room


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address of a host, in the form that the system's sockets take."""

    family: int
    address: tuple[str | int | bytes, ...] | str


Resolver = Callable[[str, int], tuple[Endpoint, ...]]


def resolve(host: str, port: int) -> tuple[Endpoint, ...]:
    """Ask the system for the addresses of a name; it may block for long."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(Endpoint(info[0], info[4]) for info in found)


@dataclass(frozen=True, slots=True)
class Connector:
    """Makes connections under `rules`; `interrupt` ends a wait early."""

    rules: HostRules
    interrupt: Interrupt
    resolver: Resolver = resolve

    def connect(self, host: str, port: int, timeout_s: float) -> socket.socket:
        """Return a connected, non-blocking stream socket.

        Raises PermissionDeniedError with code `denied`, or NetworkError with code `not_found`, `refused`, `timed_out`
        or `interrupted`.
        """
        if not self.rules.allows(host):
            raise PermissionDeniedError(
                f"The connector may not reach {host}. Add it to allowed_hosts, if it should.",
                ErrorInfo("denied", details=(("host", host),)),
            )
        deadline = time.monotonic() + timeout_s
        if host.startswith("/"):
            return self._first_of((Endpoint(socket.AF_UNIX, host),), host, deadline)
        return self._first_of(self._endpoints(host, port, deadline), f"{host}:{port}", deadline)

    def _endpoints(self, host: str, port: int, deadline: float) -> tuple[Endpoint, ...]:
        if _is_address(host):
            return self.resolver(host, port)
        lookup = _Lookup(self.resolver, host, port)
        with self.interrupt.listening(lookup.done.set):
            lookup.start()
            lookup.done.wait(max(0.0, deadline - time.monotonic()))
        self._require_going(host)
        if lookup.failure is not None:
            raise NetworkError(
                f"The host name {host} is not known ({lookup.failure}). Check its spelling, and the name server.",
                ErrorInfo("not_found", retryable=True, safe_to_retry=True, details=(("host", host),)),
            ) from lookup.failure
        if not lookup.endpoints:
            raise _timed_out(host)
        return lookup.endpoints

    def _first_of(self, endpoints: tuple[Endpoint, ...], place: str, deadline: float) -> socket.socket:
        failure: OSError | None = None
        for position, endpoint in enumerate(endpoints):
            now = time.monotonic()
            share_s = max(0.0, deadline - now) / (len(endpoints) - position)
            try:
                return self._attempt(endpoint, now + share_s, place)
            except OSError as error:
                failure = error
        if isinstance(failure, TimeoutError):
            raise _timed_out(place) from failure
        raise NetworkError(
            f"No connection to {place}: {failure}. Check that the server runs there and accepts connections.",
            ErrorInfo("refused", retryable=True, safe_to_retry=True, details=(("host", place),)),
        ) from failure

    def _attempt(self, endpoint: Endpoint, deadline: float, place: str) -> socket.socket:
        connection = socket.socket(endpoint.family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            status = connection.connect_ex(endpoint.address)
            while status == errno.EAGAIN:  # no room in the backlog of a Unix socket, and nothing tells when there is
                self._pause(deadline, place)
                status = connection.connect_ex(endpoint.address)
            if status == errno.EINPROGRESS:
                self._await_writable(connection, deadline, place)
                status = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if status != 0:
                raise OSError(status, os.strerror(status))
            if endpoint.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except BaseException:
            connection.close()
            raise
        return connection

    def _pause(self, deadline: float, place: str) -> None:
        poll = select.poll()
        poll.register(self.interrupt, select.POLLIN)
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
        poll.poll(min(_RETRY_S, left_s) * 1000)
        self._require_going(place)

    def _await_writable(self, connection: socket.socket, deadline: float, place: str) -> None:
        poll = select.poll()
        poll.register(connection, select.POLLOUT)
        poll.register(self.interrupt, select.POLLIN)
        ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        self._require_going(place)
        if not ready:
            raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    def _require_going(self, place: str) -> None:
        if self.interrupt.reason is not None:
            raise NetworkError(f"The connection to {place} was given up.", ErrorInfo("interrupted"))


@dataclass(slots=True)
class _Lookup:
    """A name look-up on a thread of its own: the system's resolver cannot be interrupted, only left behind."""

    resolver: Resolver
    host: str
    port: int
    done: threading.Event = field(default_factory=threading.Event)
    endpoints: tuple[Endpoint, ...] = ()
    failure: OSError | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"resolve {self.host}", daemon=True).start()

    def _run(self) -> None:
        try:
            self.endpoints = self.resolver(self.host, self.port)
        except (OSError, UnicodeError) as error:
            self.failure = error if isinstance(error, OSError) else OSError(str(error))
        finally:
            self.done.set()


def _timed_out(place: str) -> NetworkError:
    return NetworkError(
        f"No answer from {place} in time. Check the address, and firewalls on the way.",
        ErrorInfo("timed_out", retryable=True, safe_to_retry=True, details=(("host", place),)),
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
