"""The connectors under TLS, against a server that insists on it: every sslmode, and errors where one does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

import rapidbyte
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.tls_server import TlsServer, tls_server
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import AuthError, ConfigError, RapidbyteError

_ROWS = [(1, "Ünï"), (2, None)]


@pytest.fixture(scope="module")
def secure() -> Iterator[TlsServer]:
    with tls_server() as server:
        yield server


@pytest.fixture
def inside(secure: TlsServer) -> Iterator[psycopg.Connection]:
    """A session in the server, which has a table to move and forgets what was moved."""
    with psycopg.connect(secure.address.dsn(), sslmode="require", autocommit=True) as session:
        session.execute("CREATE TABLE things (id integer, name text); INSERT INTO things VALUES (1, 'Ünï'), (2, NULL)")
        yield session
        session.execute("DROP TABLE things; DROP SCHEMA IF EXISTS target CASCADE")


def config(address: ServerAddress, **tls: object) -> dict[str, object]:
    return {
        "host": address.host,
        "port": address.port,
        "user": address.user,
        "password": address.password,
        "database": address.database,
        **tls,
    }


def run(state: Path, source: Mapping[str, object], destination: Mapping[str, object]) -> rapidbyte.RunReport:
    document: dict[str, Any] = {
        "version": "1.0",
        "pipeline": "tls",
        "source": {
            "use": "postgres",
            "config": dict(source),
            "streams": [{"name": "things", "sync_mode": "full_refresh"}],
        },
        "destination": {"use": "postgres", "config": {**destination, "schema": "target"}, "write_mode": "append"},
    }
    return rapidbyte.run_pipeline(document, state_path=state / "state.db")


def moved(inside: psycopg.Connection) -> list[tuple[object, ...]]:
    return inside.execute("SELECT * FROM target.things ORDER BY id").fetchall()


@pytest.mark.parametrize("mode", ["allow", "prefer", "require", "verify-ca", "verify-full"])
def test_rows_move_under_tls_in_every_mode_that_allows_it(
    tmp_path: Path, secure: TlsServer, inside: psycopg.Connection, mode: str
) -> None:
    """The server takes this user under TLS only, and binds SCRAM to the channel."""
    both = config(secure.address, sslmode=mode, sslrootcert=str(secure.authority.roots))
    assert run(tmp_path, both, both).rows_written == 2
    assert moved(inside) == _ROWS


def test_rows_move_without_tls_where_the_server_wants_that(
    tmp_path: Path, secure: TlsServer, inside: psycopg.Connection
) -> None:
    plain = secure.user("plain")
    source, destination = config(plain, sslmode="disable"), config(plain)
    assert run(tmp_path, source, destination).rows_written == 2
    assert moved(inside) == _ROWS


def test_a_client_certificate_stands_in_for_a_password(
    tmp_path: Path, secure: TlsServer, inside: psycopg.Connection
) -> None:
    authority = secure.authority
    certified = config(
        secure.user("certified"),
        sslmode="verify-full",
        sslrootcert=authority.roots.read_text(encoding="ascii"),
        sslcert=str(authority.client_certificate),
        sslkey=str(authority.client_key),
    )
    del certified["password"]
    assert run(tmp_path, certified, certified).rows_written == 2
    assert moved(inside) == _ROWS


@pytest.mark.usefixtures("inside")
@pytest.mark.parametrize(
    ("changes", "kind", "code", "words"),
    [
        ({"sslmode": "disable"}, AuthError, "28000", "no encryption"),
        ({"sslmode": "verify-full", "host": "localhost"}, AuthError, "tls_untrusted", "Hostname mismatch"),
        ({"sslmode": "verify-ca", "sslrootcert": "system"}, AuthError, "tls_untrusted", "Check host and sslrootcert"),
        ({"sslmode": "verify-full", "sslrootcert": "/absent.pem"}, ConfigError, "tls_files", "/absent.pem"),
        ({"sslmode": "require", "sslcert": "/absent.pem"}, ConfigError, "tls_files", "sslkey is missing"),
    ],
)
def test_what_does_not_fit_is_told_with_the_remedy(
    tmp_path: Path,
    secure: TlsServer,
    changes: dict[str, object],
    kind: type[RapidbyteError],
    code: str,
    words: str,
) -> None:
    fine = config(secure.address, sslrootcert=str(secure.authority.roots))
    with pytest.raises(kind, match=words) as caught:
        run(tmp_path, fine | changes, fine)
    assert (caught.value.code, caught.value.retryable) == (code, False)


def test_a_server_without_tls_is_refused_where_tls_is_demanded(
    tmp_path: Path, server: ServerAddress, schemas: SchemaPair, seeded: Seed
) -> None:
    seeded("fixtures/sql/users.sql")
    with pytest.raises(ConfigError, match="does not offer TLS, which sslmode demands") as caught:
        run(tmp_path, config(server, sslmode="require", schema=schemas.source), config(server))
    assert caught.value.code == "tls_not_offered"
