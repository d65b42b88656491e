"""Where the tests' Postgres comes from: the shared embedded server, or a server of somebody else's.

`RAPIDBYTE_TEST_DSN` names an external server; its user must be a superuser, for tests make users of their own.
`RAPIDBYTE_TEST_POSTGRES` is the major version of the embedded one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from psycopg.conninfo import conninfo_to_dict

from harness.shared_server import lease_folder, lease_server
from rapidbyte.embedded import DEFAULT_MAJOR, EmbeddedPostgres, ServerAddress

DSN_VARIABLE = "RAPIDBYTE_TEST_DSN"
MAJOR_VARIABLE = "RAPIDBYTE_TEST_POSTGRES"


@dataclass(frozen=True, slots=True)
class ProvidedServer:
    """A server for this process. `close` gives it back; `keep` leaves it as it is and says how to end it.

    `log` reads what the server wrote, with times in UTC; None where that is out of reach.
    """

    address: ServerAddress
    close: Callable[[], None]
    keep: Callable[[], str]
    log: Callable[[], str] | None = None


def provide_server() -> ProvidedServer:
    """Take the external server when one is named, else a share in the embedded one."""
    dsn = os.environ.get(DSN_VARIABLE)
    if dsn:
        return ProvidedServer(external_address(dsn), lambda: None, lambda: "It is yours to stop.")
    major = int(os.environ.get(MAJOR_VARIABLE) or DEFAULT_MAJOR)
    server = lease_server(lease_folder(major), major)
    return ProvidedServer(server.address, server.close, lambda: _detach(server), server.log)


def external_address(dsn: str) -> ServerAddress:
    """Read a libpq connection string or URI."""
    parts = conninfo_to_dict(dsn)
    return ServerAddress(
        host=str(parts.get("host", "127.0.0.1")),
        port=int(parts.get("port") or 5432),
        user=str(parts.get("user", "postgres")),
        password=str(parts.get("password", "")),
        database=str(parts.get("dbname", "postgres")),
    )


def _detach(server: EmbeddedPostgres) -> str:
    server.detach()
    return f"Stop it with: kill {server.guard_pid}"
