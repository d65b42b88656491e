"""The Postgres handshake through the sandbox: every password method, each byte of the server in a read of its own."""

from __future__ import annotations

import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

import rapidbyte
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from rapidbyte.errors import AuthError, NetworkError

_TEMPLATE = Path("fixtures/pipelines/one_table.yaml")
_PASSWORD = "höhe+Tür ✓"  # SCRAM normalises, md5 does not
_RULES = """
host  all trusted  127.0.0.1/32 trust
host  all md5_user 127.0.0.1/32 md5
host  all clear    127.0.0.1/32 password
host  all all      127.0.0.1/32 scram-sha-256
local all all                   scram-sha-256
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ServerAddress]:
    """A server of our own: what it asks of each user is decided by its pg_hba.conf."""
    directory = Path(tempfile.mkdtemp(prefix="rb-rules-"))  # pytest's own are closed to the user the server runs as
    rules = directory / "pg_hba.conf"
    rules.write_text(_RULES, encoding="utf-8")
    rules.chmod(0o644)
    directory.chmod(0o755)
    try:
        with EmbeddedPostgres.start(settings={"hba_file": str(rules), "fsync": "off"}) as postgres:
            with psycopg.connect(postgres.address.dsn(), autocommit=True) as session:
                session.execute("CREATE TABLE public.greeting (id integer PRIMARY KEY)")
                session.execute("CREATE ROLE trusted LOGIN")
                session.execute("SET scram_iterations = 100000")
                session.execute(f"CREATE ROLE strong LOGIN PASSWORD '{_PASSWORD}'")
                session.execute("RESET scram_iterations")
                for role, encryption in (("clear", "scram-sha-256"), ("scram", "scram-sha-256"), ("md5_user", "md5")):
                    session.execute("SELECT set_config('password_encryption', %s, false)", (encryption,))
                    session.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{_PASSWORD}'")
            yield postgres.address
    finally:
        shutil.rmtree(directory)


@contextmanager
def _one_byte_at_a_time(server: ServerAddress) -> Iterator[int]:
    """Relay one connection to the server, whose bytes leave in packets of one byte; yields the port to connect to."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:
        thread = threading.Thread(target=_relay, args=(listener, server))
        thread.start()
        stack.callback(thread.join)
        stack.callback(listener.close)
        yield int(listener.getsockname()[1])


def _relay(listener: socket.socket, server: ServerAddress) -> None:
    client, _ = listener.accept()
    with client, socket.create_connection((server.host, server.port)) as upstream:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        forward = threading.Thread(target=_forward, args=(client, upstream))
        forward.start()
        while piece := upstream.recv(65536):
            for byte in piece:
                client.sendall(bytes([byte]))
        client.shutdown(socket.SHUT_WR)
        forward.join()


def _forward(client: socket.socket, upstream: socket.socket) -> None:
    while piece := client.recv(65536):
        upstream.sendall(piece)
    upstream.shutdown(socket.SHUT_WR)


def _discover(server: ServerAddress, user: str, password: str, port: int) -> tuple[str, ...]:
    variables = {
        "PGHOST": "127.0.0.1",
        "PGPORT": str(port),
        "PGUSER": user,
        "PGPASSWORD": password,
        "PGDATABASE": server.database,
        "SOURCE_SCHEMA": "public",
        "DESTINATION_SCHEMA": "unused",
        "STREAM": "greeting",
    }
    return tuple(stream.name for stream in rapidbyte.discover(_TEMPLATE, env=variables).streams)


@pytest.mark.parametrize("user", ["trusted", "clear", "md5_user", "scram", "strong"])
def test_every_method_lets_the_right_password_in_byte_by_byte(server: ServerAddress, user: str) -> None:
    with _one_byte_at_a_time(server) as port:
        assert _discover(server, user, _PASSWORD, port) == ("public.greeting",)


@pytest.mark.parametrize("user", ["clear", "md5_user", "scram"])
def test_every_method_refuses_a_wrong_password_and_keeps_it_to_itself(server: ServerAddress, user: str) -> None:
    wrong = "not-the-password"
    with pytest.raises(AuthError) as caught:
        _discover(server, user, wrong, server.port)
    assert caught.value.code == "28P01"
    assert user in caught.value.message
    assert wrong not in caught.value.message


def test_a_server_that_hangs_up_during_the_handshake_is_a_network_error(server: ServerAddress) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: listener.accept()[0].close())
        thread.start()
        with pytest.raises(NetworkError) as caught:
            _discover(server, "scram", _PASSWORD, int(listener.getsockname()[1]))
        thread.join()
    assert caught.value.retryable


def _demand(listener: socket.socket, iterations: int) -> None:
    """Begin SCRAM as a server would, and ask for so many iterations."""
    client, _ = listener.accept()
    with client:
        client.recv(8)  # asks for TLS
        client.sendall(b"N")
        client.recv(1024)
        client.sendall(_challenge(10, b"SCRAM-SHA-256\0\0"))
        nonce = client.recv(1024).rpartition(b"r=")[2]
        client.sendall(_challenge(11, b"r=%bserver,s=c2FsdA==,i=%d" % (nonce, iterations)))
        client.recv(1024)


def _challenge(kind: int, content: bytes) -> bytes:
    return b"R" + struct.pack("!II", 8 + len(content), kind) + content


@pytest.mark.parametrize("iterations", [100_001, 2**31 - 1])
def test_a_server_that_demands_endless_hashing_is_refused_at_once(server: ServerAddress, iterations: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_demand, args=(listener, iterations))
        thread.start()
        with pytest.raises(AuthError) as caught:
            _discover(server, "scram", _PASSWORD, int(listener.getsockname()[1]))
        thread.join()
    assert (caught.value.code, caught.value.retryable) == ("scram_iterations", False)
    assert f"asks for {iterations} iterations of SCRAM-SHA-256, and at most 100000 are done" in caught.value.message
    assert "lower scram_iterations there and set the password" in caught.value.message


def test_a_server_that_speaks_another_protocol_is_told_so(server: ServerAddress) -> None:
    def greet(listener: socket.socket) -> None:
        for _ in range(2):  # its greeting begins as a yes to TLS does, so that both ways are tried
            client, _ = listener.accept()
            with client:
                client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                client.recv(1024)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet, args=(listener,))
        thread.start()
        with pytest.raises(rapidbyte.errors.RapidbyteError) as caught:
            _discover(server, "scram", _PASSWORD, int(listener.getsockname()[1]))
        thread.join()
    assert caught.value.code == "protocol"
