"""Certificates and a server that speaks TLS, made by the test itself."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

HOST = "db.example"
_LONG_AGO = datetime.now(UTC) - timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority, with the paths of its root, and of a client's certificate and key."""

    ca: trustme.CA
    roots: Path
    client_certificate: Path
    client_key: Path

    def certificate_for(self, name: str, *, is_expired: bool = False) -> trustme.LeafCert:
        """Issue a server's certificate."""
        if is_expired:
            return self.ca.issue_cert(name, not_before=_LONG_AGO, not_after=_LONG_AGO + timedelta(days=1))
        return self.ca.issue_cert(name)


def make_authority(folder: Path, client: str = "ada") -> Authority:
    """Make an authority that writes its files into `folder`."""
    ca = trustme.CA()
    roots, certificate, key = folder / "roots.pem", folder / "client.pem", folder / "client.key"
    ca.cert_pem.write_to_path(roots)
    leaf = ca.issue_cert(common_name=client)
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    return Authority(ca, roots, certificate, key)


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the settings of a server that shows `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextmanager
def serving(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """Within the block, let `talk` have the first connection, on a thread; gives the port. Its failure is raised."""
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(10)
                talk(connection)
        except BaseException as error:
            failures.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve, name="server", daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        thread.join(10)
    if failures:
        raise failures[0]
