"""Connections and sockets against a real local peer: every way a connection starts, moves bytes and ends."""

from __future__ import annotations

import errno
import socket
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import pytest

from rapidbyte.errors import NetworkError, PermissionDeniedError
from rapidbyte.net import HostRules, Interest, Interrupt, InterruptReason, SocketTable
from rapidbyte.net.connect import Connector, Endpoint, Resolver
from rapidbyte.net.sockets import Watch

_TIMEOUT_S = 5.0
_EVERYWHERE = HostRules.of(("*",))
_DEAD = Endpoint(socket.AF_INET, ("192.0.2.1", 9))  # TEST-NET-1: never answers


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_TIMEOUT_S)
        yield listener


@pytest.fixture
def pair(table: SocketTable, interrupt: Interrupt, listener: socket.socket) -> Iterator[tuple[int, socket.socket]]:
    """A handle of the table, and its peer."""
    handle = table.add(Connector(_EVERYWHERE, interrupt).connect("127.0.0.1", _port(listener), _TIMEOUT_S))
    peer, _ = listener.accept()
    with peer:
        yield handle, peer


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return _port(listener)


def _always(endpoints: tuple[Endpoint, ...]) -> Resolver:
    return lambda _host, _port: endpoints


def _wait(table: SocketTable, handle: int, interest: Interest, timeout_s: float | None = _TIMEOUT_S) -> Interest:
    return table.wait([Watch(handle, interest)], timeout_s)[0]


def test_a_read_would_block_until_bytes_come(table: SocketTable, pair: tuple[int, socket.socket]) -> None:
    handle, peer = pair
    target = bytearray(8)
    assert table.read(handle, memoryview(target)) is None
    assert _wait(table, handle, Interest.READABLE, 0) == Interest.NONE
    peer.sendall(b"hello")
    assert _wait(table, handle, Interest.READABLE) == Interest.READABLE
    assert table.read(handle, memoryview(target)) == 5
    assert bytes(target) == b"hello\0\0\0"


def test_the_end_of_the_stream_is_zero_bytes(table: SocketTable, pair: tuple[int, socket.socket]) -> None:
    handle, peer = pair
    peer.close()
    assert _wait(table, handle, Interest.READABLE) == Interest.READABLE
    assert table.read(handle, memoryview(bytearray(8))) == 0


def test_a_large_write_is_taken_in_parts_and_arrives_whole(table: SocketTable, pair: tuple[int, socket.socket]) -> None:
    handle, peer = pair
    content = bytes(range(256)) * (64 * 1024)
    received = bytearray()
    sent = parts = 0
    while sent < len(content):
        taken = table.write(handle, memoryview(content)[sent:])
        if taken is None:
            received += peer.recv(1024 * 1024)
            continue
        sent += taken
        parts += 1
    while len(received) < len(content):
        received += peer.recv(1024 * 1024)
    assert parts > 1
    assert bytes(received) == content


def test_a_broken_connection_is_a_reset(table: SocketTable, pair: tuple[int, socket.socket]) -> None:
    handle, peer = pair
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    assert _wait(table, handle, Interest.READABLE) == Interest.READABLE
    with pytest.raises(NetworkError) as caught:
        table.read(handle, memoryview(bytearray(8)))
    assert caught.value.code == "reset"


def test_an_interrupt_ends_a_wait(table: SocketTable, pair: tuple[int, socket.socket], interrupt: Interrupt) -> None:
    handle, _ = pair
    threading.Timer(0.05, interrupt.fire, [InterruptReason.CANCELLED]).start()
    started = time.monotonic()
    assert _wait(table, handle, Interest.READABLE, None) == Interest.NONE
    assert time.monotonic() - started < _TIMEOUT_S


def test_one_wait_watches_several_sockets(
    table: SocketTable, pair: tuple[int, socket.socket], interrupt: Interrupt, listener: socket.socket
) -> None:
    first, _ = pair
    second = table.add(Connector(_EVERYWHERE, interrupt).connect("127.0.0.1", _port(listener), _TIMEOUT_S))
    both = Interest.READABLE | Interest.WRITABLE
    ready = table.wait([Watch(first, Interest.READABLE), Watch(second, both)], _TIMEOUT_S)
    assert ready == (Interest.NONE, Interest.WRITABLE)


def test_a_closed_or_guessed_handle_is_unknown(table: SocketTable, pair: tuple[int, socket.socket]) -> None:
    handle, peer = pair
    table.close_one(handle)
    table.close_one(handle)
    for unknown in (handle, 1, -1):
        with pytest.raises(NetworkError) as caught:
            table.read(unknown, memoryview(bytearray(1)))
        assert caught.value.code == "bad_handle"
    assert peer.recv(1) == b""


def test_the_number_of_sockets_is_limited(interrupt: Interrupt) -> None:
    narrow = SocketTable(interrupt, max_sockets=1)
    narrow.require_room()
    left, right = socket.socketpair()
    with right:
        narrow.add(left)
        with pytest.raises(NetworkError) as caught:
            narrow.require_room()
        narrow.close()
    assert caught.value.code == "limit"


def test_a_host_outside_the_rules_is_denied_before_its_name_is_asked(interrupt: Interrupt) -> None:
    asked: list[str] = []

    def resolver(host: str, _port: int) -> tuple[Endpoint, ...]:
        asked.append(host)
        return ()

    connector = Connector(HostRules.of(("*.example.com",)), interrupt, resolver)
    with pytest.raises(PermissionDeniedError) as caught:
        connector.connect("db.example.org", 5432, _TIMEOUT_S)
    assert caught.value.code == "denied"
    assert "db.example.org" in caught.value.message
    assert asked == []


def test_a_port_where_nobody_listens_is_refused(interrupt: Interrupt) -> None:
    port = _free_port()
    with pytest.raises(NetworkError) as caught:
        Connector(_EVERYWHERE, interrupt).connect("127.0.0.1", port, _TIMEOUT_S)
    assert caught.value.code == "refused"
    assert f"127.0.0.1:{port}" in caught.value.message


def test_a_name_that_does_not_resolve_is_not_found(interrupt: Interrupt) -> None:
    def resolver(_host: str, _port: int) -> tuple[Endpoint, ...]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.raises(NetworkError) as caught:
        Connector(_EVERYWHERE, interrupt, resolver).connect("nowhere.invalid", 5432, _TIMEOUT_S)
    assert caught.value.code == "not_found"
    assert "nowhere.invalid" in caught.value.message


def test_the_second_address_is_used_when_the_first_is_dead(interrupt: Interrupt, listener: socket.socket) -> None:
    alive = Endpoint(socket.AF_INET, ("127.0.0.1", _port(listener)))
    refusing = Endpoint(socket.AF_INET, ("127.0.0.1", _free_port()))
    for endpoints in ((refusing, alive), (_DEAD, alive)):
        connector = Connector(_EVERYWHERE, interrupt, _always(endpoints))
        with connector.connect("db.example", 5432, 0.5) as connection:
            assert connection.getpeername() == ("127.0.0.1", _port(listener))


def test_a_silent_peer_is_timed_out(interrupt: Interrupt) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = _port(full)
        with socket.create_connection(("127.0.0.1", port)):  # fills the backlog; the kernel drops further attempts
            started = time.monotonic()
            with pytest.raises(NetworkError) as caught:
                Connector(_EVERYWHERE, interrupt).connect("127.0.0.1", port, 0.2)
    assert caught.value.code == "timed_out"
    assert 0.15 < time.monotonic() - started < _TIMEOUT_S


def test_an_interrupt_ends_a_name_lookup(interrupt: Interrupt) -> None:
    release = threading.Event()

    def resolver(_host: str, _port: int) -> tuple[Endpoint, ...]:
        release.wait(_TIMEOUT_S)
        return ()

    threading.Timer(0.05, interrupt.fire, [InterruptReason.CANCELLED]).start()
    try:
        with pytest.raises(NetworkError) as caught:
            Connector(_EVERYWHERE, interrupt, resolver).connect("slow.example", 5432, 60.0)
    finally:
        release.set()
    assert caught.value.code == "interrupted"


@pytest.fixture
def full(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A Unix socket that listens, whose backlog has no room, and its path."""
    path = str(tmp_path / "full")
    with ExitStack() as stack:
        server = stack.enter_context(socket.socket(socket.AF_UNIX))
        server.bind(path)
        server.listen(0)
        status = 0
        while status != errno.EAGAIN:
            waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
            waiting.setblocking(False)
            status = waiting.connect_ex(path)
            assert status in (0, errno.EAGAIN)
        yield server, path


def test_a_full_backlog_of_a_unix_socket_is_waited_for(interrupt: Interrupt, full: tuple[socket.socket, str]) -> None:
    server, path = full
    with ThreadPoolExecutor(1) as executor:
        connecting = executor.submit(Connector(HostRules.of((path,)), interrupt).connect, path, 0, _TIMEOUT_S)
        assert not wait((connecting,), timeout=0.1).done
        first, _ = server.accept()
        with first, connecting.result(_TIMEOUT_S) as connection:
            connection.sendall(b"hello")
            accepted, _ = server.accept()
            with accepted:
                assert accepted.recv(8) == b"hello"


def test_a_backlog_that_stays_full_is_timed_out(interrupt: Interrupt, full: tuple[socket.socket, str]) -> None:
    _, path = full
    with pytest.raises(NetworkError) as caught:
        Connector(HostRules.of((path,)), interrupt).connect(path, 0, 0.1)
    assert caught.value.code == "timed_out"
    assert path in caught.value.message


def test_an_interrupt_ends_the_wait_for_a_full_backlog(interrupt: Interrupt, full: tuple[socket.socket, str]) -> None:
    _, path = full
    threading.Timer(0.05, interrupt.fire, [InterruptReason.CANCELLED]).start()
    with pytest.raises(NetworkError) as caught:
        Connector(HostRules.of((path,)), interrupt).connect(path, 0, 60.0)
    assert caught.value.code == "interrupted"


def test_a_unix_socket_is_reached_by_its_path(interrupt: Interrupt, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with Connector(HostRules.of((path,)), interrupt).connect(path, 0, _TIMEOUT_S) as connection:
            assert connection.getpeername() == path
