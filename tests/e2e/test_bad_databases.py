"""A table of what can be wrong at the servers: each gives its typed error, with the remedy, and writes nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from e2e.bad_privileges import PRIVILEGES
from e2e.bad_sources import MISSING, UNREACHABLE
from e2e.bad_targets import TARGETS
from harness.bad_input import BadDatabase
from harness.fix_role import Role
from harness.seeds import seed
from rapidbyte.cli.failure import failure_text
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import RapidbyteError

_SOURCE, _DESTINATION = "shop", "target"


@pytest.fixture
def bad_role(role: Role, session: psycopg.Connection) -> Role:
    """A user without privileges of its own."""
    session.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(sql.Identifier(role.name)))
    return role


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.mark.parametrize("case", [*UNREACHABLE, *MISSING, *TARGETS, *PRIVILEGES], ids=lambda case: case.name)
def test_what_is_wrong_at_a_server_is_a_typed_error_with_the_remedy(
    case: BadDatabase, bad_role: Role, database: ServerAddress, tmp_path: Path
) -> None:
    names = {"src": _SOURCE, "dst": _DESTINATION, "role": bad_role.name, "database": database.database}
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_SOURCE)))
        seed(session, _SOURCE, "fixtures/sql/users.sql")
        session.execute(case.sql.format(**names).encode() or b"SELECT")
    with pytest.raises(RapidbyteError) as caught:
        rapidbyte.run_pipeline(_document(case, database, bad_role), state_path=tmp_path / "state.db")
    told = failure_text(caught.value)
    assert (type(caught.value), caught.value.code) == (case.error, case.code), told
    assert [words for words in case.words if words.format(**names) not in told] == [], told


def _document(case: BadDatabase, server: ServerAddress, role: Role) -> dict[str, Any]:
    configs: dict[str, dict[str, object]] = {}
    for side, schema, changes in (
        ("source", _SOURCE, case.source),
        ("destination", _DESTINATION, case.destination),
    ):
        config: dict[str, object] = {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            "database": server.database,
            "schema": schema,
        }
        if side in case.as_role:
            config |= {"user": role.variables["PGUSER"], "password": role.variables["PGPASSWORD"]}
        config |= changes
        configs[side] = config | ({"port": unused_port()} if config["port"] == 0 else {})
    stream: dict[str, object] = {"name": case.stream, "sync_mode": "full_refresh"}
    if case.columns is not None:
        stream["columns"] = list(case.columns)
    return {
        "version": "1.0",
        "pipeline": "bad",
        "source": {"use": "postgres", "config": configs["source"], "streams": [stream]},
        "destination": {"use": "postgres", "config": configs["destination"], "write_mode": case.write_mode},
    }
