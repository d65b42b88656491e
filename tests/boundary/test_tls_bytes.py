"""Bytes under TLS: they arrive whole, are waited for, and end as the server ends them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from boundary.fix_tls import TIMEOUT_S, receive, silent, under_tls, wait
from harness.tls import HOST, Authority, serving
from rapidbyte.errors import NetworkError
from rapidbyte.net import Interest, Interrupt, InterruptReason, SocketTable, TlsOptions, Verification

_NONE = Verification.NONE


def test_an_interrupt_ends_a_wait(
    table: SocketTable, connect: Callable[[int], int], interrupt: Interrupt, authority: Authority
) -> None:
    with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        threading.Timer(0.05, interrupt.fire, [InterruptReason.CANCELLED]).start()
        assert wait(table, handle, Interest.READABLE, None) == Interest.NONE
        table.close_one(handle)


def test_large_contents_arrive_whole_both_ways(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    content = bytes(range(256)) * (16 * 1024)
    received = bytearray()

    def talk(session: ssl.SSLSocket) -> None:
        while len(received) < len(content):
            received.extend(session.recv(65536))
        session.sendall(content)
        silent(session)

    with serving(under_tls(authority.certificate_for(HOST), talk)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        sent = waits = 0
        while sent < len(content):
            taken = table.write(handle, memoryview(content)[sent:])
            if taken is None:
                waits += 1
                assert wait(table, handle, Interest.WRITABLE) == Interest.WRITABLE
            sent += taken or 0
        assert receive(table, handle, len(content)) == content
        table.close_one(handle)
    assert bytes(received) == content


def test_what_arrived_in_one_record_is_readable_to_its_last_byte(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    def talk(session: ssl.SSLSocket) -> None:
        session.sendall(b"abc")
        silent(session)

    with serving(under_tls(authority.certificate_for(HOST), talk)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        one = bytearray(1)
        read = bytearray()
        for _ in range(3):  # the socket itself is silent after the first of them
            assert wait(table, handle, Interest.READABLE) == Interest.READABLE
            assert table.read(handle, memoryview(one)) == 1
            read += one
        assert wait(table, handle, Interest.READABLE, 0) == Interest.NONE
        assert read == b"abc"
        table.close_one(handle)


def test_records_without_bytes_for_the_reader_do_not_make_a_socket_readable(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    """A server of TLS 1.3 sends session tickets after the handshake."""
    is_sent = threading.Event()

    def talk(session: ssl.SSLSocket) -> None:
        is_sent.set()
        silent(session)

    with serving(under_tls(authority.certificate_for(HOST), talk)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        assert is_sent.wait(TIMEOUT_S)
        assert wait(table, handle, Interest.READABLE, 0.05) == Interest.NONE
        assert wait(table, handle, Interest.READABLE | Interest.WRITABLE, TIMEOUT_S) == Interest.WRITABLE
        table.close_one(handle)


def test_the_servers_own_end_is_the_end_and_a_cut_is_not(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    def end(session: ssl.SSLSocket) -> None:
        session.sendall(b"x")
        with suppress(OSError):
            session.unwrap()

    def cut(session: ssl.SSLSocket) -> None:
        session.sendall(b"x")
        session.shutdown(socket.SHUT_RDWR)

    for talk in (end, cut):
        with serving(under_tls(authority.certificate_for(HOST), talk)) as port:
            handle = connect(port)
            table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
            assert receive(table, handle, 1) == b"x"
            assert wait(table, handle, Interest.READABLE) == Interest.READABLE
            for _ in range(2):
                if talk is end:
                    assert table.read(handle, memoryview(bytearray(1))) == 0
                else:
                    with pytest.raises(NetworkError) as caught:
                        table.read(handle, memoryview(bytearray(1)))
                    assert caught.value.code == "reset"
            table.close_one(handle)
