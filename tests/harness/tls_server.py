"""A Postgres that speaks TLS: started for one test file, with its own authority, and rules for who may connect how.

It is the major version whose wheel is built with OpenSSL.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql

from harness.tls import Authority, make_authority
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from rapidbyte.embedded.installation import unprivileged_account

_MAJOR = 17
_RULES = """\
hostssl all certified all cert
hostnossl all plain all scram-sha-256
hostssl all plain all reject
hostssl all all all scram-sha-256
"""


@dataclass(frozen=True, slots=True)
class TlsServer:
    """`address` is the superuser's, who must come under TLS.

    The user `plain` must not, and `certified` shows a certificate in the place of a password. All have one password.
    """

    address: ServerAddress
    authority: Authority

    def user(self, name: str) -> ServerAddress:
        """Return the address of another user."""
        return replace(self.address, user=name)


@contextmanager
def tls_server() -> Iterator[TlsServer]:
    """Start the server, and stop it at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="rb-tls-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = make_authority(folder, client="certified")
        with EmbeddedPostgres.start(major=_MAJOR, settings=_settings(folder, authority)) as server:
            with psycopg.connect(server.address.dsn(), sslmode="require", autocommit=True) as session:
                for user in ("certified", "plain"):
                    create = sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
                    session.execute(create.format(sql.Identifier(user), sql.Literal(server.address.password)))
            yield TlsServer(server.address, authority)


def _settings(folder: Path, authority: Authority) -> dict[str, str]:
    certificate, key, rules = folder / "server.pem", folder / "server.key", folder / "pg_hba.conf"
    leaf = authority.certificate_for("127.0.0.1")
    certificate.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(key)
    key.chmod(0o600)
    rules.write_text(_RULES)
    account = unprivileged_account()
    for path in (certificate, key, rules, authority.roots):
        if account is not None:
            os.chown(path, account.uid, account.gid)
    return {
        "fsync": "off",
        "ssl": "on",
        "ssl_cert_file": str(certificate),
        "ssl_key_file": str(key),
        "ssl_ca_file": str(authority.roots),
        "hba_file": str(rules),
    }
