"""Sockets as guests see them: permissions, connecting, moving bytes, and handles that are theirs alone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from boundary.wat_guests import Host, build
from rapidbyte.net import HostRules
from rapidbyte.wasm import Call
from rapidbyte.wasm.abi import Status

_HOST = '(data (i32.const 0) "127.0.0.1")'
_READ = "(call $reply (i64.extend_i32_s (call $sock_read (global.get $a) (i32.const 64) (i32.const 8))))"
_WAIT = """
    (i64.store (i32.const 128) (global.get $a))
    (i32.store (i32.const 136) (i32.const 1))
    (drop (call $sock_wait (i32.const 128) (i32.const 1) (i32.const 5000)))
    (call $reply (i64.extend_i32_u (i32.load (i32.const 140))))"""


def _connect(port: int, timeout_ms: int = 5000) -> str:
    return f"(call $sock_connect (i32.const 0) (i32.const 9) (i32.const {port}) (i32.const {timeout_ms}))"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_bytes_go_both_ways_and_the_end_is_zero(host: Host, listener: socket.socket) -> None:
    wasm = build(
        {
            "rb_open": f"(global.set $a {_connect(_port(listener))}) (call $ok)",
            "rb_check": _READ,
            "rb_discover": _WAIT,
            "rb_prepare": "(call $reply (i64.extend_i32_s "
            "(call $sock_write (global.get $a) (i32.const 0) (i32.const 9))))",
            "rb_spec": "(call $reply (i64.load (i32.const 64)))",
        },
        fields=_HOST,
    )
    with host.start(wasm) as guest:
        guest.call(Call.OPEN, {})
        peer, _ = listener.accept()
        with peer:
            assert guest.call(Call.CHECK, {}) == Status.WOULD_BLOCK
            peer.sendall(b"ping")
            assert guest.call(Call.DISCOVER, {}) == 1
            assert guest.call(Call.CHECK, {}) == 4
            assert guest.call(Call.SPEC, {}) == int.from_bytes(b"ping", "little")
            assert guest.call(Call.PREPARE, {}) == 9
            assert peer.recv(16) == b"127.0.0.1"
        assert guest.call(Call.DISCOVER, {}) == 1
        assert guest.call(Call.CHECK, {}) == 0


def test_a_host_outside_the_permissions_is_denied_and_never_reached(host: Host, listener: socket.socket) -> None:
    rules = HostRules.of(("*",)).narrowed(HostRules.of(("db.example",)))
    body = f"(call $reply {_connect(_port(listener))})"
    assert host.check(body, fields=_HOST, rules=rules) == Status.DENIED
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


def test_no_permissions_allow_nothing(host: Host, listener: socket.socket) -> None:
    body = f"(call $reply {_connect(_port(listener))})"
    assert host.check(body, fields=_HOST, rules=HostRules.of(())) == Status.DENIED


def test_a_refused_connection_is_told(host: Host) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = _port(listener)
    assert host.check(f"(call $reply {_connect(port)})", fields=_HOST) == Status.REFUSED


@pytest.mark.parametrize(
    "expression",
    [
        _connect(70000),
        _connect(-1),
        _connect(1, timeout_ms=-1),
        "(call $sock_connect (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 1))",
        "(call $sock_connect (i32.const 32) (i32.const 1) (i32.const 1) (i32.const 1))",
        "(i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const -1) (i32.const 0)))",
        "(i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const 5000) (i32.const 0)))",
    ],
)
def test_wrong_arguments_are_refused(host: Host, expression: str) -> None:
    assert host.check(f"(call $reply {expression})", fields=_HOST + '(data (i32.const 32) "\\ff")') == (
        Status.INVALID_ARGUMENT
    )


def test_an_unknown_interest_is_refused(host: Host) -> None:
    body = """(i32.store (i32.const 8) (i32.const 4))
        (call $reply (i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const 1) (i32.const 0))))"""
    assert host.check(body) == Status.INVALID_ARGUMENT


def test_the_sockets_of_an_instance_are_closed_with_it_and_unknown_to_others(
    host: Host, listener: socket.socket
) -> None:
    body = f"(global.set $a {_connect(_port(listener))}) (call $reply (global.get $a))"
    with host.start(build({"rb_check": body}, fields=_HOST)) as guest:
        handle = guest.call(Call.CHECK, {})
        peer, _ = listener.accept()
        read = f"(call $sock_read (i64.const {handle}) (i32.const 64) (i32.const 8))"
        assert host.check(f"(call $reply (i64.extend_i32_s {read}))") == Status.BAD_HANDLE
    with peer:
        peer.settimeout(5)
        assert peer.recv(1) == b""


def test_a_buffer_outside_the_memory_is_refused_and_no_byte_is_lost(host: Host, listener: socket.socket) -> None:
    wasm = build(
        {
            "rb_open": f"(global.set $a {_connect(_port(listener))}) (call $ok)",
            "rb_check": "(call $reply (i64.extend_i32_s "
            "(call $sock_read (global.get $a) (i32.const 131070) (i32.const 8))))",
            "rb_prepare": _READ,
            "rb_discover": _WAIT,
        },
        fields=_HOST,
    )
    with host.start(wasm) as guest:
        guest.call(Call.OPEN, {})
        peer, _ = listener.accept()
        with peer:
            peer.sendall(b"12345678")
            assert guest.call(Call.DISCOVER, {}) == 1
            assert guest.call(Call.CHECK, {}) == Status.BAD_POINTER
            assert guest.call(Call.PREPARE, {}) == 8
