"""How a handshake of TLS ends that does not come about."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable

import pytest

from boundary.fix_tls import TIMEOUT_S, failure, silent, under_tls
from harness.tls import HOST, Authority, serving
from rapidbyte.errors import NetworkError
from rapidbyte.net import Interrupt, InterruptReason, SocketTable, TlsOptions, Verification

_NONE = Verification.NONE


def test_a_server_without_tls_fails_the_handshake(table: SocketTable, connect: Callable[[int], int]) -> None:
    with serving(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as port:
        error = failure(table, connect(port), TlsOptions(HOST, _NONE))
    assert (type(error), error.code) == (NetworkError, "tls_failed")
    assert "Check that the server speaks TLS 1.2 or newer" in error.message


def test_a_server_that_hangs_up_during_the_handshake_is_a_reset(
    table: SocketTable, connect: Callable[[int], int]
) -> None:
    def hang_up(connection: socket.socket) -> None:
        connection.recv(1024)

    with serving(hang_up) as port:
        assert failure(table, connect(port), TlsOptions(HOST, _NONE)).code == "reset"


def test_a_silent_server_is_timed_out(table: SocketTable, connect: Callable[[int], int]) -> None:
    def stay(connection: socket.socket) -> None:
        while connection.recv(1024):
            pass

    with serving(stay) as port, pytest.raises(NetworkError) as caught:
        table.start_tls(connect(port), TlsOptions(HOST, _NONE), 0.1)
    assert (caught.value.code, caught.value.retryable) == ("timed_out", True)


def test_an_interrupt_ends_a_handshake(table: SocketTable, connect: Callable[[int], int], interrupt: Interrupt) -> None:
    def stay(connection: socket.socket) -> None:
        while connection.recv(1024):
            pass

    threading.Timer(0.05, interrupt.fire, [InterruptReason.CANCELLED]).start()
    started = time.monotonic()
    with serving(stay) as port:
        assert failure(table, connect(port), TlsOptions(HOST, _NONE)).code == "interrupted"
    assert time.monotonic() - started < TIMEOUT_S


def test_tls_is_started_once(table: SocketTable, connect: Callable[[int], int], authority: Authority) -> None:
    with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        with pytest.raises(NetworkError, match="speaks TLS already") as caught:
            table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        assert caught.value.code == "bad_state"
        table.close_one(handle)
