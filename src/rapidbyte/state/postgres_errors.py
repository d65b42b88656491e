"""What the failures of a Postgres that keeps the state mean to its owner; never with the connection string."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from rapidbyte.errors import ErrorInfo, StateDeniedError, StateError, StateUnreachableError

_DEFAULTS = {"connect_timeout": "10", "application_name": "rapidbyte state", "keepalives_idle": "30"}
# libpq keeps no SQLSTATE of a connection that failed, so the server's words are all there is; unknown ones mean that it
# was not reached, and are shown in any case.
_REFUSAL = re.compile(r'authentication failed|no password supplied|no pg_hba\.conf entry|role "[^"]*" does not exist')
_NO_DATABASE = re.compile(r'database "[^"]*" does not exist')


def read_conninfo(connection: str) -> tuple[dict[str, Any], str]:
    """Return the parts of a connection string with our defaults, and a name of its database for people.

    Raises StateError with code `state_connection`.
    """
    try:
        parts = _DEFAULTS | conninfo_to_dict(connection)
    except psycopg.ProgrammingError:
        raise StateError(  # the driver's own words would repeat a password
            "state.connection is not a connection string of Postgres. "
            "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or host=… dbname=… and so on.",
            ErrorInfo("state_connection"),
        ) from None
    database, host = parts.get("dbname", "the default database"), parts.get("host", "the default host")
    port = f":{parts['port']}" if "port" in parts else ""
    return parts, f"Postgres database {database} on {host}{port}"


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn errors of the driver into StateErrors that name the remedy."""
    try:
        yield
    except psycopg.Error as error:
        raise _state_error(place, error) from error


def _state_error(place: str, error: psycopg.Error) -> StateError:
    code = error.sqlstate or ""
    reason = " ".join(str(error).split()).rstrip(".")
    if code == "55P03":
        message = f"The state in the {place} was in use for too long. Try again when other runs have ended."
        return StateError(message, ErrorInfo("state_busy", retryable=True))
    if code.startswith("28") or (not code and _REFUSAL.search(reason)):
        return StateDeniedError(
            f"The {place}, which is to keep the state, does not let us in: {reason}. "
            "Check user and password in state.connection."
        )
    if code == "42501":
        return StateDeniedError(
            f"The {place} does not let us keep the state: {reason}. GRANT CREATE ON DATABASE to the user of "
            "state.connection, or connect as the owner of the schema _rapidbyte_state."
        )
    if code == "3D000" or (not code and _NO_DATABASE.search(reason)):
        message = f"The {place} cannot keep the state: {reason}. Check the database in state.connection."
        return StateError(message, ErrorInfo("state_no_database"))
    if not code or code.startswith(("08", "57P", "53")):
        return StateUnreachableError(
            f"The {place}, which keeps the state, cannot be reached: {reason}. Check state.connection and the server.",
            ErrorInfo("state_unreachable", retryable=True),
        )
    message = f"The state in the {place} cannot be used: {reason}. Name another database in state.connection."
    return StateError(message, ErrorInfo("state_unwritable"))
