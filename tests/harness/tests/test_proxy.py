"""The proxy passes on that a server is gone, as the network between them would."""

from __future__ import annotations

import socket

import pytest

from harness.proxy import FaultyProxy
from harness.waiting import PATIENCE_S


def _write_on(client: socket.socket) -> None:
    while True:
        client.send(bytes(65536))


def test_who_still_writes_is_told_that_the_server_is_gone() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        FaultyProxy(*listener.getsockname()) as proxy,
        socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5) as client,
    ):
        server, _ = listener.accept()
        with pytest.raises(TimeoutError):  # nobody reads
            _write_on(client)
        server.close()
        client.settimeout(PATIENCE_S)
        with pytest.raises(ConnectionError):
            _write_on(client)
