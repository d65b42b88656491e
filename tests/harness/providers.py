"""Where the tests' Postgres comes from: the shared embedded server, a shared container, or a server of somebody else's.

`RAPIDBYTE_TEST_DSN` names an external server; its user must be a superuser, for tests make users of their own.
`RAPIDBYTE_TEST_CONTAINER` is the image of a container.
`RAPIDBYTE_TEST_POSTGRES` is the major version of the embedded one.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from psycopg.conninfo import conninfo_to_dict

from harness.errors import ProviderError
from harness.shared_server import lease_folder, lease_server
from rapidbyte.embedded import DEFAULT_MAJOR, EmbeddedPostgres, ServerAddress

DSN_VARIABLE = "RAPIDBYTE_TEST_DSN"
CONTAINER_VARIABLE = "RAPIDBYTE_TEST_CONTAINER"
MAJOR_VARIABLE = "RAPIDBYTE_TEST_POSTGRES"
_CONTAINER = "harness.container"  # loaded by who wants one alone: a client of Docker takes a while
VARIABLES = (DSN_VARIABLE, CONTAINER_VARIABLE, MAJOR_VARIABLE)


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
    """Take the server or the container that is named, else a share in the embedded server. Raises ProviderError."""
    chosen = {variable: value for variable in VARIABLES if (value := os.environ.get(variable))}
    if len(chosen) > 1:
        raise ProviderError(f"{' and '.join(chosen)} each choose a server. Unset all but one.")
    if DSN_VARIABLE in chosen:
        return ProvidedServer(external_address(chosen[DSN_VARIABLE]), lambda: None, lambda: "It is yours to stop.")
    if CONTAINER_VARIABLE in chosen:
        image = chosen[CONTAINER_VARIABLE]
        container = importlib.import_module(_CONTAINER)
        lease = container.lease_container(container.container_folder(image), image)
        return ProvidedServer(lease.address, lease.close, lease.keep, lease.log)
    major = chosen_major() or DEFAULT_MAJOR
    server = lease_server(lease_folder(major), major)
    return ProvidedServer(server.address, server.close, lambda: _detach(server), server.log)


def chosen_major() -> int | None:
    """Give the major version that is asked for, if one is. Raises ProviderError."""
    major = os.environ.get(MAJOR_VARIABLE)
    if not major:
        return None
    if not major.isdecimal():
        raise ProviderError(f"{MAJOR_VARIABLE} is {major!r}, and must be a major version, such as {DEFAULT_MAJOR}.")
    return int(major)


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
