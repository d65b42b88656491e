"""A stream that arrives fast is told of in large pieces, and nothing of any stream is kept back for it."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from boundary.fix_tls import TIMEOUT_S, receive, silent, under_tls, wait
from harness.tls import HOST, Authority, serving
from rapidbyte.net import Interest, SocketTable, TlsOptions, Verification
from rapidbyte.net.sockets import Watch
from rapidbyte.net.transport import PlainTransport

_LARGE = bytes(16 * 1024)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Both ends of a connection; poll tells of the bytes of local sockets one by one, whatever was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname(), TIMEOUT_S)
        far, _ = listener.accept()
    near.setblocking(False)
    with near, far:
        yield near, far


@pytest.fixture
def fast(table: SocketTable, ends: tuple[socket.socket, socket.socket]) -> int:
    """The handle of the near end, which has just given a large piece."""
    near, far = ends
    handle = table.add(near)
    far.sendall(_LARGE)
    assert receive(table, handle, len(_LARGE)) == _LARGE
    return handle


def _has_byte(near: socket.socket) -> bool:
    """Wait until a byte has arrived, whatever poll tells of it."""
    until_s = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until_s:
        try:
            return near.recv(1, socket.MSG_PEEK) == b"x"
        except BlockingIOError:
            continue
    return False


def _is_told_of(near: socket.socket) -> bool:
    return bool(select.select([near], [], [], 0)[0])


def test_after_a_large_piece_poll_tells_of_the_next_large_one(
    table: SocketTable, fast: int, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    far.sendall(b"x")
    assert _has_byte(near)
    assert not _is_told_of(near)
    assert wait(table, fast, Interest.READABLE) == Interest.READABLE  # none comes, so the byte is told of
    assert _is_told_of(near)
    assert receive(table, fast, 1) == b"x"


def test_a_small_piece_asks_for_no_large_one(table: SocketTable, ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    handle = table.add(near)
    for _ in range(2):
        far.sendall(b"x")
        assert _has_byte(near)
        assert _is_told_of(near)
        assert receive(table, handle, 1) == b"x"


def test_who_asks_without_waiting_hears_of_one_byte(
    table: SocketTable, fast: int, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    far.sendall(b"x")
    assert _has_byte(near)
    assert wait(table, fast, Interest.READABLE, 0) == Interest.READABLE


def test_the_end_is_told_of_at_once(table: SocketTable, fast: int, ends: tuple[socket.socket, socket.socket]) -> None:
    ends[1].close()
    assert wait(table, fast, Interest.READABLE) == Interest.READABLE
    assert table.read(fast, memoryview(bytearray(1))) == 0


def test_what_else_is_ready_hides_no_byte(
    table: SocketTable, fast: int, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    far.sendall(b"x")
    assert _has_byte(near)
    both = Interest.READABLE | Interest.WRITABLE
    assert wait(table, fast, both) == both


def test_another_socket_that_is_ready_hides_no_byte(
    table: SocketTable, fast: int, ends: tuple[socket.socket, socket.socket]
) -> None:
    near, far = ends
    left, right = socket.socketpair()
    with right:
        other = table.add(left)
        far.sendall(b"x")
        assert _has_byte(near)
        watches = [Watch(fast, Interest.READABLE), Watch(other, Interest.WRITABLE)]
        assert table.wait(watches, TIMEOUT_S) == (Interest.READABLE, Interest.WRITABLE)


def test_a_handshake_after_a_large_piece_hears_of_its_small_ones(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    def serve(connection: socket.socket) -> None:
        connection.sendall(_LARGE)
        assert connection.recv(1) == b"s"
        under_tls(authority.certificate_for(HOST), silent)(connection)

    with serving(serve) as port:
        handle = connect(port)
        assert receive(table, handle, len(_LARGE)) == _LARGE
        assert table.write(handle, memoryview(b"s")) == 1
        table.start_tls(handle, TlsOptions(HOST, Verification.FULL, str(authority.roots)), TIMEOUT_S)
        table.close_one(handle)


def test_a_transport_asks_for_large_pieces_as_long_as_they_come(ends: tuple[socket.socket, socket.socket]) -> None:
    near, far = ends
    transport = PlainTransport(near)
    for piece, is_gathering in ((b"x", False), (_LARGE, True), (b"x", True)):
        far.sendall(piece)
        count = 0
        while count < len(piece):
            count += transport.read(memoryview(bytearray(len(piece)))[count:]) or 0
        assert transport.is_gathering is is_gathering
    transport.gather_no_more()
    assert not transport.is_gathering
