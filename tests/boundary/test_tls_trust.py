"""Whom TLS trusts: certificates, authorities, those of clients, the files they are in, and the channel binding."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from boundary.fix_tls import TIMEOUT_S, failure, receive, silent, under_tls, wait
from harness.tls import HOST, Authority, server_context, serving
from rapidbyte.errors import AuthError, ConfigError, NetworkError
from rapidbyte.net import Interest, SocketTable, TlsOptions, Verification
from rapidbyte.net.tls_binding import end_point_of

_NONE, _CA, _FULL = Verification.NONE, Verification.CA, Verification.FULL


@pytest.mark.parametrize("verification", list(Verification))
def test_a_good_certificate_is_accepted_and_bytes_go_both_ways(
    table: SocketTable, connect: Callable[[int], int], authority: Authority, verification: Verification
) -> None:
    def talk(session: ssl.SSLSocket) -> None:
        session.sendall(session.recv(5).upper())
        assert session.recv(5) == b""  # the client's own end

    with serving(under_tls(authority.certificate_for(HOST), talk)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, verification, str(authority.roots)), TIMEOUT_S)
        assert table.read(handle, memoryview(bytearray(8))) is None
        assert table.write(handle, memoryview(b"hello")) == 5
        assert receive(table, handle, 5) == b"HELLO"
        table.close_one(handle)


def test_roots_may_be_given_as_text(table: SocketTable, connect: Callable[[int], int], authority: Authority) -> None:
    with serving(under_tls(authority.certificate_for(HOST), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions(HOST, _FULL, authority.roots.read_text()), TIMEOUT_S)
        table.close_one(handle)


def test_an_address_is_a_name_too(table: SocketTable, connect: Callable[[int], int], authority: Authority) -> None:
    with serving(under_tls(authority.certificate_for("127.0.0.1"), silent)) as port:
        handle = connect(port)
        table.start_tls(handle, TlsOptions("127.0.0.1", _FULL, str(authority.roots)), TIMEOUT_S)
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
            table.start_tls(handle, options, TIMEOUT_S)
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
        table.start_tls(handle, options, TIMEOUT_S)
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
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)  # TLS 1.3 tells it with the first bytes
        assert wait(table, handle, Interest.READABLE) == Interest.READABLE
        with pytest.raises(NetworkError, match="certificate required") as caught:
            table.read(handle, memoryview(bytearray(1)))
        table.close_one(handle)
    assert caught.value.code == "reset"


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


def test_the_channel_binding_is_the_digest_of_the_servers_certificate(
    table: SocketTable, connect: Callable[[int], int], authority: Authority
) -> None:
    certificate = authority.certificate_for(HOST)
    der = ssl.PEM_cert_to_DER_cert(certificate.cert_chain_pems[0].bytes().decode())
    with serving(under_tls(certificate, silent)) as port:
        handle = connect(port)
        assert table.tls_end_point(handle) == b""
        table.start_tls(handle, TlsOptions(HOST, _NONE), TIMEOUT_S)
        assert table.tls_end_point(handle) == hashlib.sha256(der).digest() == end_point_of(der)
        table.close_one(handle)


@pytest.mark.parametrize("der", [b"", b"\x30", b"\x30\x05\x30", b"\x30\x84\xff\xff\xff\xff", b"\x02\x01\x05"])
def test_what_is_no_certificate_has_no_binding(der: bytes) -> None:
    assert end_point_of(der) == b""
