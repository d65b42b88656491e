"""A guest that is blocked in an import, in each that can block: its deadline and an order to stop end it there.

It gets a status in either case, which shows that the host woke it: who does not return within a second is killed.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from boundary.wat_guests import Host, build
from rapidbyte.wasm import Call
from rapidbyte.wasm.abi import Status

_NAME = "nobody.example"
_REQUEST = '{"server_name":"h","verify":"none"}'
_ESCAPED = _REQUEST.replace('"', '\\"')
_FIELDS = f'(data (i32.const 0) "127.0.0.1{_NAME}") (data (i32.const 64) "{_ESCAPED}")'
_CONNECT = "(call $sock_connect (i32.const 0) (i32.const 9) (i32.const {port}) (i32.const 60000))"
_LOOK_UP = f"(call $sock_connect (i32.const 9) (i32.const {len(_NAME)}) (i32.const 1) (i32.const 60000))"
_WAIT_FOR_NOTHING = "(i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1)))"
_WAIT_FOR_BYTES = """(i64.store (i32.const 128) (global.get $a)) (i32.store (i32.const 136) (i32.const 1))
    (i64.extend_i32_s (call $sock_wait (i32.const 128) (i32.const 1) (i32.const -1)))"""
_START_TLS = f"""(i64.extend_i32_s
    (call $sock_start_tls (global.get $a) (i32.const 64) (i32.const {len(_REQUEST)}) (i32.const 60000)))"""
_CONNECTED = f"(global.set $a {_CONNECT})"
_ALL = {  # what goes before, and what blocks
    "waits for nothing": ("", _WAIT_FOR_NOTHING),
    "waits for bytes": (_CONNECTED, _WAIT_FOR_BYTES),
    "connects": ("", _CONNECT.replace("{port}", "{full_port}")),
    "looks a name up": ("", _LOOK_UP),
    "starts TLS": (_CONNECTED, _START_TLS),
}


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """Two ports, where connections are taken and nothing is said, and where they are not taken; no name resolves."""
    is_over = threading.Event()
    real = socket.getaddrinfo

    def unanswered(host: str, *arguments: object, **options: object) -> object:
        if host == _NAME:
            is_over.wait()
            raise socket.gaierror("never answered")
        return real(host, *arguments, **options)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(socket, "getaddrinfo", unanswered)
    with ExitStack() as stack:
        stack.callback(is_over.set)
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        full = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        yield {"port": silent.getsockname()[1], "full_port": full.getsockname()[1]}


def _guest(doing: str, ports: dict[str, int]) -> bytes:
    """Make a guest that says a word just before it blocks."""
    before, blocking = _ALL[doing]
    told = "(drop (call $log (i32.const 4) (i32.const 0) (i32.const 1)))"
    body = f"{before} {told} (call $reply {blocking})"
    for name, port in ports.items():
        body = body.replace(f"{{{name}}}", str(port))
    return build({"rb_check": body}, fields=_FIELDS)


@pytest.mark.parametrize("doing", _ALL)
def test_the_deadline_ends_a_guest_that_is_blocked_in_an_import(host: Host, ports: dict[str, int], doing: str) -> None:
    with host.start(_guest(doing, ports), timeout_s=0.3) as instance:
        assert instance.call(Call.CHECK, {}) == Status.TIMED_OUT


@pytest.mark.parametrize("doing", _ALL)
def test_an_order_to_stop_ends_a_guest_that_is_blocked_in_an_import(
    host: Host, ports: dict[str, int], doing: str
) -> None:
    begun = threading.Event()
    host.on_log = lambda _level, _line: begun.set()
    with host.start(_guest(doing, ports), timeout_s=60) as instance:

        def stop() -> None:
            assert begun.wait(10)
            instance.interrupt()

        stopper = threading.Thread(target=stop)
        stopper.start()
        try:
            assert instance.call(Call.CHECK, {}) == Status.CANCELLED
        finally:
            stopper.join()
