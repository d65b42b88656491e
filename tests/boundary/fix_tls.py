"""Authorities for the tests of TLS, and the parts of a server and a client."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

import pytest
import trustme

from harness.tls import Authority, make_authority, server_context
from rapidbyte.errors import RapidbyteError
from rapidbyte.net import Interest, SocketTable, TlsOptions
from rapidbyte.net.sockets import Watch

TIMEOUT_S = 10.0
Talk = Callable[[ssl.SSLSocket], None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody here trusts."""
    return make_authority(tmp_path_factory.mktemp("stranger"))


def under_tls(
    certificate: trustme.LeafCert, talk: Talk, context: ssl.SSLContext | None = None
) -> Callable[[socket.socket], None]:
    """Return what a server does that shakes hands before it talks; a client that turns away is no failure."""

    def serve(connection: socket.socket) -> None:
        server = context or server_context(certificate)
        with suppress(ssl.SSLError, ConnectionError), server.wrap_socket(connection, server_side=True) as session:
            talk(session)

    return serve


def silent(session: ssl.SSLSocket) -> None:
    """Wait for the client to go."""
    with suppress(OSError):
        session.recv(1)


def failure(table: SocketTable, handle: int, options: TlsOptions) -> RapidbyteError:
    with pytest.raises(RapidbyteError) as caught:
        table.start_tls(handle, options, TIMEOUT_S)
    assert len(table) == 0
    return caught.value


def wait(table: SocketTable, handle: int, interest: Interest, timeout_s: float | None = TIMEOUT_S) -> Interest:
    return table.wait([Watch(handle, interest)], timeout_s)[0]


def receive(table: SocketTable, handle: int, count: int) -> bytes:
    """Read exactly `count` bytes."""
    content = bytearray(count)
    received = 0
    while received < count:
        assert wait(table, handle, Interest.READABLE) == Interest.READABLE
        more = table.read(handle, memoryview(content)[received:])
        assert more != 0
        received += more or 0
    return bytes(content)
