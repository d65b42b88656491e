"""TLS as guests ask for it: requests, the files they may name, and the binding they get."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress

import pytest

from boundary.wat_guests import Host, build
from harness.tls import HOST, Authority, server_context, serving
from rapidbyte.wasm import Call, Instance
from rapidbyte.wasm.abi import Status

_HOST = '(data (i32.const 0) "127.0.0.1")'
_CONNECT = "(call $sock_connect (i32.const 0) (i32.const 9) (i32.const {port}) (i32.const 5000))"
_START = "(call $sock_start_tls (global.get $a) (local.get $pointer) (local.get $length) (i32.const 5000))"


@pytest.fixture
def port(authority: Authority) -> Iterator[int]:
    """A server that says hello under TLS, and waits for the guest to go."""

    def talk(connection: socket.socket) -> None:
        context = server_context(authority.certificate_for(HOST))
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as session:
            session.sendall(b"hello")
            session.recv(1)

    with serving(talk) as port:
        yield port


def guest(host: Host, port: int) -> Instance:
    """Start a guest that connects when it opens, asks for TLS with its check's request, and then for the rest."""
    bodies = {
        "rb_open": f"(global.set $a {_CONNECT.format(port=port)}) (call $ok)",
        "rb_check": f"(call $reply (i64.extend_i32_s {_START}))",
        "rb_discover": "(call $reply (i64.extend_i32_s "
        "(call $sock_tls_end_point (global.get $a) (i32.const 64) (i32.const 64))))",
        "rb_spec": "(call $reply (i64.extend_i32_s "
        "(call $sock_tls_end_point (global.get $a) (i32.const 64) (i32.const 31))))",
        "rb_prepare": """
            (i64.store (i32.const 128) (global.get $a))
            (i32.store (i32.const 136) (i32.const 1))
            (drop (call $sock_wait (i32.const 128) (i32.const 1) (i32.const 5000)))
            (call $reply (i64.extend_i32_s (call $sock_read (global.get $a) (i32.const 64) (i32.const 5))))""",
    }
    return host.start(build(bodies, fields=_HOST))


def request(authority: Authority, **changes: object) -> dict[str, object]:
    return {"server_name": HOST, "verify": "full", "roots": str(authority.roots), **changes}


def test_a_guest_talks_under_tls_and_knows_the_servers_binding(host: Host, port: int, authority: Authority) -> None:
    with guest(host, port) as instance:
        instance.call(Call.OPEN, {"config": {"tls": [{"sslrootcert": str(authority.roots)}]}})
        assert instance.call(Call.DISCOVER, {}) == 0
        assert instance.call(Call.CHECK, request(authority, later="key")) == Status.OK
        assert instance.call(Call.DISCOVER, {}) == 32
        assert instance.call(Call.SPEC, {}) == Status.TOO_LARGE
        assert instance.call(Call.PREPARE, {}) == 5
        assert instance.call(Call.CHECK, request(authority)) == Status.BAD_STATE


def test_a_file_that_the_config_does_not_name_is_denied(host: Host, port: int, authority: Authority) -> None:
    with guest(host, port) as instance:
        instance.call(Call.OPEN, {"config": {"note": f"see {authority.roots}"}})
        for key in ("roots", "certificate", "key"):
            wanted = request(authority, roots=None) | {key: "/etc/ssl/private/secret.pem"}
            assert instance.call(Call.CHECK, wanted) == Status.DENIED
        assert instance.call(Call.CHECK, request(authority, roots=authority.roots.read_text())) == Status.OK


@pytest.mark.parametrize(
    "changes",
    [{"verify": "some"}, {"verify": None}, {"server_name": ""}, {"server_name": 1}, {"roots": ["a"]}],
)
def test_a_request_that_makes_no_sense_is_invalid_and_leaves_the_socket(
    host: Host, port: int, authority: Authority, changes: dict[str, object]
) -> None:
    with guest(host, port) as instance:
        instance.call(Call.OPEN, {"config": {"ca": str(authority.roots)}})
        assert instance.call(Call.CHECK, request(authority, **changes)) == Status.INVALID_ARGUMENT
        assert instance.call(Call.CHECK, request(authority)) == Status.OK


def test_a_refused_certificate_and_a_bad_file_have_statuses_of_their_own(host: Host, authority: Authority) -> None:
    def talk(connection: socket.socket) -> None:
        context = server_context(authority.certificate_for("other.example"))
        with suppress(ssl.SSLError, OSError):
            context.wrap_socket(connection, server_side=True)

    for roots, status in ((str(authority.roots), Status.UNTRUSTED), ("/absent.pem", Status.BAD_FILE)):
        with serving(talk) as port, guest(host, port) as instance:
            instance.call(Call.OPEN, {"config": {"ca": roots}})
            assert instance.call(Call.CHECK, request(authority, roots=roots)) == status
            assert instance.call(Call.CHECK, request(authority, roots=roots)) == Status.BAD_HANDLE


def test_a_server_without_tls_has_a_status_of_its_own(host: Host, authority: Authority) -> None:
    plain = b"no TLS here, and never was"
    with serving(lambda connection: connection.sendall(plain)) as port, guest(host, port) as instance:
        instance.call(Call.OPEN, {"config": {"ca": str(authority.roots)}})
        assert instance.call(Call.CHECK, request(authority)) == Status.TLS_FAILED
