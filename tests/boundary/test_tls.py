"""TLS against a server of the test's own: whose certificate is accepted, and that bytes move as without it."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import trustme

from harness.tls import HOST, Authority, make_authority, server_context, serving
from rapidbyte.errors import AuthError, ConfigError, NetworkError, RapidbyteError
from rapidbyte.net import HostRules, Interest, Interrupt, InterruptReason, SocketTable, TlsOptions, Verification
from rapidbyte.net.connect import Connector
from rapidbyte.net.sockets import Watch
from rapidbyte.net.tls_binding import end_point_of

_TIMEOUT_S = 10.0
_NONE, _CA, _FULL = Verification.NONE, Verification.CA, Verification.FULL
Talk = Callable[[ssl.SSLSocket], None]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody here trusts."""
    return make_authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    with Interrupt() as interrupt:
        yield interrupt


@pytest.fixture
def table(interrupt: Interrupt) -> Iterator[SocketTable]:
    table = SocketTable(interrupt)
    yield table
    table.close()


@pytest.fixture
def connect(table: SocketTable, interrupt: Interrupt) -> Callable[[int], int]:
    connector = Connector(HostRules.of(("*",)), interrupt)
    return lambda port: table.add(connector.connect("127.0.0.1", port, _TIMEOUT_S))


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
        table.start_tls(handle, options, _TIMEOUT_S)
    assert len(table) == 0
    return caught.value


def wait(table: SocketTable, handle: int, interest: Interest, timeout_s: float | None = _TIMEOUT_S) -> Interest:
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


@pytest.mark.parametrize("verification", list(Verification))
def test_a_good_certificate_is_accepted_and_bytes_go_both_ways(
    table: SocketTable, connect: Callable[[int], int], authority: Authority, verification: Verification
) -> None:
    def talk(session: ssl.SSLSocket) -> None:
        session.sendall(session.recv(5).upper())
        assert session.recv(5) == b""  # the client's own end

    with serving(under_tls(authority.certificate_for(HOST), talk)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, verification, str(authority.roots)), _TIMEOUT_S)
        assert table.read(handle, memoryview(bytearray(8))) is None
        assert table.write(handle, memoryview(b"hello")) == 5
        assert receive(table, handle, 5) == b"HELLO"
        table.close_one(handle)


def test_roots_may_be_given_as_text(table: SocketTable, connect: Callable[[int], int], authority: Authority) -> None:
    with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _FULL, authority.roots.read_text()), _TIMEOUT_S)
        table.close_one(handle)


def test_an_address_is_a_name_too(table: SocketTable, connect: Callable[[int], int], authority: Authority) -> None:
    with serving(under_tls(authority.certificate_for("127.0.0.1"), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions("127.0.0.1", _FULL, str(authority.roots)), _TIMEOUT_S)
        table.close_one(handle)


@pytest.mark.parametrize(
    ("verification", "name", "is_expired", "is_strange", "reason"),
    [
        (_FULL, "other.example", False, False, "Hostname mismatch, certificate is not valid for 'db.example'"),
        (_FULL, HOST, True, False, "certificate has expired"),
        (_CA, HOST, True, False, "certificate has expired"),
        (_FULL, HOST, False, True, "unable to get local issuer certificate"),
        (_CA, HOST, False, True, "unable to get local issuer certificate"),
        (_CA, "other.example", False, False, None),
        (_NONE, "other.example", True, True, None),
    ],
)
def test_a_certificate_that_does_not_fit_is_refused_by_the_modes_that_look(
    table: SocketTable,
    connect: Callable[[int], int],
    authority: Authority,
    stranger: Authority,
    verification: Verification,
    name: str,
    is_expired: bool,
    is_strange: bool,
    reason: str | None,
) -> None:
    issuer = stranger if is_strange else authority
    certificate = issuer.certificate_for(name, is_expired=is_expired)
    options = TlsOptions(HOST, verification, str(authority.roots))
    with serving(under_tls(certificate, silent)) as port:
        handle = connect(port)
        if reason is None:
            table.start_tls(handle, options, _TIMEOUT_S)
            table.close_one(handle)
            return
        error = failure(table, handle, options)
    assert (type(error), error.code, error.retryable) == (AuthError, "tls_untrusted", False)
    assert error.message == (
        f"The certificate of db.example is not accepted: {reason}. Check host and sslrootcert, or ask the server's "
        "administrator for a certificate that fits."
    )


def test_without_roots_only_those_of_the_system_are_trusted(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    for roots in (None, "system"):
        with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
            assert failure(table, connect(port), TlsOptions(HOST, _CA, roots)).code == "tls_untrusted"


def test_a_client_certificate_is_shown_to_a_server_that_asks(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    context = server_context(authority.certificate_for(HOST))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(context)
    names: list[object] = []

    def talk(session: ssl.SSLSocket) -> None:
        certificate = session.getpeercert()
        assert certificate is not None
        names.append(certificate["subject"][-1])
        session.sendall(b"in")
        silent(session)

    options = TlsOptions(
        HOST, _FULL, str(authority.roots), str(authority.client_certificate), str(authority.client_key)
    )
    with serving(under_tls(authority.certificate_for(HOST), talk, context)) as port:
        handle = connect(port)
        table.start_tls(handle, options, _TIMEOUT_S)
        assert receive(table, handle, 2) == b"in"
        table.close_one(handle)
    assert names == [(("commonName", "ada"),)]


def test_a_server_that_misses_a_client_certificate_breaks_the_connection(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    context = server_context(authority.certificate_for(HOST))
    context.verify_mode = ssl.CERT_REQUIRED
    with serving(under_tls(authority.certificate_for(HOST), silent, context)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)  # TLS 1.3 tells it with the first bytes
        assert wait(table, handle, Interest.READABLE) == Interest.READABLE
        with pytest.raises(NetworkError, match="certificate required") as caught:
            table.read(handle, memoryview(bytearray(1)))
        table.close_one(handle)
    assert caught.value.code == "reset"


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
    assert time.monotonic() - started < _TIMEOUT_S


def test_an_interrupt_ends_a_wait(
    table: SocketTable, connect: Callable[[int], int], interrupt: Interrupt, authority: Authority
) -> None:
    with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
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
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
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
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
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
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
        assert is_sent.wait(_TIMEOUT_S)
        assert wait(table, handle, Interest.READABLE, 0.05) == Interest.NONE
        assert wait(table, handle, Interest.READABLE | Interest.WRITABLE, _TIMEOUT_S) == Interest.WRITABLE
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
            table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
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


def test_tls_is_started_once(table: SocketTable, connect: Callable[[int], int], authority: Authority) -> None:
    with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
        with pytest.raises(NetworkError, match="speaks TLS already") as caught:
            table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
        assert caught.value.code == "bad_state"
        table.close_one(handle)


def test_the_channel_binding_is_the_digest_of_the_servers_certificate(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    certificate = authority.certificate_for(HOST)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    with serving(under_tls(certificate, silent)) as port:
        handle = connect(port)
        assert table.tls_end_point(handle) == b""
        table.start_tls(handle, TlsOptions(HOST, _NONE), _TIMEOUT_S)
        assert table.tls_end_point(handle) == hashlib.sha256(der).digest() == end_point_of(der)
        table.close_one(handle)


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x05\x30", b"\x30\x84\xff\xff\xff\xff", b"\x02\x01\x05"])
def test_what_is_no_certificate_has_no_binding(der: bytes) -> None:
    assert end_point_of(der) == b""


def file_problem(connect: Callable[[int], int], table: SocketTable, authority: Authority, **files: str) -> str:
    options = TlsOptions(HOST, _CA, **{"roots": str(authority.roots), **files})
    with serving(lambda _: None) as port:
        error = failure(table, connect(port), options)
    assert (type(error), error.code) == (ConfigError, "tls_files")
    return error.message


def test_files_that_cannot_be_used_are_named_with_the_remedy(
    table: SocketTable, connect: Callable[[int], int], authority: Authority, tmp_path: Path
) -> None:
    noise, open_key = tmp_path / "noise.pem", tmp_path / "open.key"
    noise.write_text("no certificate")
    open_key.write_bytes(authority.client_key.read_bytes())
    open_key.chmod(0o644)
    certificate, key = str(authority.client_certificate), str(authority.client_key)

    def told(**files: str) -> str:
        return file_problem(connect, table, authority, **files)

    absent = str(tmp_path / "absent.pem")
    assert told(roots=absent) == (
        f"The root certificates in {absent} cannot be used: No such file or directory. "
        "Give sslrootcert a file in PEM format."
    )
    assert told(roots=str(noise)).startswith(f"The root certificates in {noise} cannot be used: ")
    assert "the text of sslrootcert cannot be used" in told(roots="-----BEGIN CERTIFICATE-----\nAAAA\n")
    assert told(certificate=certificate) == "A client certificate needs both sslcert and sslkey; sslkey is missing."
    assert told(key=key) == "A client certificate needs both sslcert and sslkey; sslcert is missing."
    assert told(certificate=absent, key=key).startswith(f"The client certificate {absent} with the key {key} cannot")
    assert told(certificate=str(noise), key=key).endswith("files in PEM format, the key without a password.")
    assert told(certificate=certificate, key=str(open_key)) == (
        f"The private key {open_key} can be read by others. Run: chmod 600 {open_key}"
    )
