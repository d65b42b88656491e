"""The changes of tables, in any combination with the other modes and the policies.

Its cases have a server of their own, for a slot waits for whoever else writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import sql

from e2e.modes_matrix import moving
from harness.schemas import SchemaOwner
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress
from rapidbyte.model import SyncMode

pytest_plugins = ["e2e.fix_matrix"]

_SLOTS = "FROM pg_replication_slots WHERE database = current_database()"


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> ServerAddress:
    """A server of one version: what differs between them is tested by the suites of changes."""
    quiet: ServerAddress = request.getfixturevalue("quiet_server")
    return quiet


@pytest.fixture(scope="module")
def owner_session(server: ServerAddress) -> Iterator[psycopg.Connection]:
    """A session there."""
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        yield session


@pytest.fixture(scope="module")
def schema_owner(owner_session: psycopg.Connection) -> SchemaOwner:
    """This process as the owner of schemas there."""
    return SchemaOwner(owner_session)


@pytest.fixture(autouse=True)
def _slot(owner_session: psycopg.Connection) -> Iterator[None]:
    """Remove what the pipeline of a case leaves on the server, once its last session there has ended."""
    yield
    wait_until(lambda: owner_session.execute(f"SELECT 1 {_SLOTS} AND active").fetchone() is None, "the slot is free")
    owner_session.execute(f"SELECT pg_drop_replication_slot(slot_name) {_SLOTS}")
    for (publication,) in owner_session.execute("SELECT pubname FROM pg_publication").fetchall():
        owner_session.execute(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(publication)))


@moving(SyncMode.CDC)
def test_tables_and_their_changes_arrive_exactly(play: Callable[[], None]) -> None:
    play()
