"""Bytes under TLS, over a socket that does not block.

A record that arrived need not hold bytes for the reader, and bytes may wait here while the socket is silent. So what is
readable is found out by reading ahead.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from contextlib import suppress

from rapidbyte.errors import AuthError, ErrorInfo, NetworkError, RapidbyteError
from rapidbyte.net.interrupt import Interrupt
from rapidbyte.net.tls_options import TlsOptions, context_of
from rapidbyte.net.transport import READ_EVENTS, WRITE_EVENTS, reset_error

_RECORD_BYTES = 16 * 1024


class TlsTransport:
    """A TLS session that `secured` has made."""

    is_gathering = False

    def __init__(self, session: ssl.SSLSocket) -> None:
        self._session = session
        self._ahead = bytearray()
        self._has_ended = False
        self._failure: NetworkError | None = None
        self._read_waits_for = select.POLLIN
        self._write_waits_for = select.POLLOUT

    def gather_no_more(self) -> None:
        """Do nothing: records are read as they come."""

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._session.fileno()

    def peer_certificate(self) -> bytes:
        """Return the server's certificate (DER)."""
        return self._session.getpeercert(binary_form=True) or b""

    def read(self, target: memoryview) -> int | None:
        """Read as `Transport` says. A stream that ends without TLS's own end is broken, not at its end."""
        count = min(len(self._ahead), len(target))
        target[:count] = self._ahead[:count]
        del self._ahead[:count]
        while count < len(target) and not self._has_ended and self._failure is None:
            more = self._receive(target[count:])
            if more is None:
                break
            count += more
        if count or not target or self._has_ended:
            return count
        if self._failure is not None:
            raise self._failure
        return None

    def write(self, source: memoryview) -> int | None:
        """Write as `Transport` says; after None, the same bytes must be written next."""
        try:
            sent = self._session.send(source) if source else 0
        except ssl.SSLWantReadError:
            self._write_waits_for = select.POLLIN
            return None
        except ssl.SSLWantWriteError:
            self._write_waits_for = select.POLLOUT
            return None
        except OSError as error:
            raise reset_error(error) from error
        self._write_waits_for = select.POLLOUT
        return sent

    def events_for(self, *, reading: bool, writing: bool) -> int:
        """Poll for what TLS waits for; not for reading where something was read ahead."""
        events = self._write_waits_for if writing else 0
        return events | self._read_waits_for if reading and not self._has_something() else events

    def is_readable(self, events: int) -> bool:
        """Read ahead if poll found that TLS can go on; return whether there is something then."""
        if not self._has_something() and events & (READ_EVENTS | self._read_waits_for):
            record = bytearray(_RECORD_BYTES)
            count = self._receive(memoryview(record))
            self._ahead += record[: count or 0]
        return self._has_something()

    def is_writable(self, events: int) -> bool:
        """Take poll's word."""
        return bool(events & (WRITE_EVENTS | self._write_waits_for))

    def close(self) -> None:
        """Tell the peer that this was all, without waiting for its answer, and close the socket."""
        with suppress(OSError, ValueError):
            self._session.unwrap()
        self._session.close()

    def _has_something(self) -> bool:
        return bool(self._ahead) or self._has_ended or self._failure is not None or self._session.pending() > 0

    def _receive(self, target: memoryview) -> int | None:
        """Return the bytes of one record; None when there are none yet, or no more: then it is noted why."""
        try:
            count = self._session.recv_into(target)
        except ssl.SSLWantReadError:
            self._read_waits_for = select.POLLIN
            return None
        except ssl.SSLWantWriteError:
            self._read_waits_for = select.POLLOUT
            return None
        except OSError as error:
            self._failure = reset_error(error)
            return None
        self._read_waits_for = select.POLLIN
        self._has_ended = count == 0
        return count or None


def secured(connection: socket.socket, options: TlsOptions, timeout_s: float, interrupt: Interrupt) -> TlsTransport:
    """Shake hands over a connected, non-blocking socket, which the result owns then; it is closed on failure.

    Raises ConfigError with code `tls_files`, AuthError with code `tls_untrusted` for a certificate that is not
    accepted, and NetworkError with code `tls_failed`, `timed_out`, `reset` or `interrupted`.
    """
    try:
        session = context_of(options).wrap_socket(
            connection,
            server_hostname=options.server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )
    except BaseException:
        connection.close()
        raise
    try:
        _shake_hands(session, options, time.monotonic() + timeout_s, interrupt)
    except BaseException:
        session.close()
        raise
    return TlsTransport(session)


def _shake_hands(session: ssl.SSLSocket, options: TlsOptions, deadline: float, interrupt: Interrupt) -> None:
    while True:
        try:
            session.do_handshake()
        except ssl.SSLWantReadError:
            _await(session, select.POLLIN, options, deadline, interrupt)
        except ssl.SSLWantWriteError:
            _await(session, select.POLLOUT, options, deadline, interrupt)
        except OSError as error:
            raise _handshake_error(error, options) from error
        else:
            return


def _await(session: ssl.SSLSocket, events: int, options: TlsOptions, deadline: float, interrupt: Interrupt) -> None:
    poll = select.poll()
    poll.register(session, events)
    poll.register(interrupt, select.POLLIN)
    ready = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
    if interrupt.reason is not None:
        raise NetworkError(f"The connection to {options.server_name} was given up.", ErrorInfo("interrupted"))
    if not ready:
        raise NetworkError(
            f"{options.server_name} did not finish the TLS handshake in time. See the server's log.",
            ErrorInfo("timed_out", retryable=True, safe_to_retry=True),
        )


def _handshake_error(error: OSError, options: TlsOptions) -> RapidbyteError:
    name = options.server_name
    if isinstance(error, ssl.SSLCertVerificationError):
        return AuthError(
            f"The certificate of {name} is not accepted: {error.verify_message.rstrip('.')}. "
            "Check host and sslrootcert, or ask the server's administrator for a certificate that fits.",
            ErrorInfo("tls_untrusted"),
        )
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        reason = (error.reason or str(error)).replace("_", " ").lower()
        return NetworkError(
            f"TLS with {name} failed: {reason}. Check that the server speaks TLS 1.2 or newer, and which client "
            "certificate it asks for.",
            ErrorInfo("tls_failed"),
        )
    return NetworkError(
        f"{name} broke the connection during the TLS handshake: {error}. See the server's log for the reason.",
        ErrorInfo("reset", retryable=True),
    )
