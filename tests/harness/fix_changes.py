"""Fixtures for changes: a server of their own, and in it a database with tables whose changes are read.

A file of tests that uses them says in `SEED` what makes the tables, and in `PIPELINE` what `sync` runs, so that it, and
no other, runs again for an edit of these; and in `STREAMS` what is moved, where the pipeline asks for that. Each major
version of Postgres decodes its log in its own way, so there are servers of several: in the nightly profile each test
that is not marked with `default_major` runs on all of them, else those that are marked with `every_major`.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from psycopg import sql

from harness.fix_kills import KillRun
from harness.fix_pipelines import RunPipeline
from harness.oracle import TableName, assert_same_table
from harness.profiles import is_nightly
from harness.providers import chosen_major
from harness.schemas import drop_database
from harness.seeds import seed
from harness.shared_server import SETTINGS
from rapidbyte.embedded import DEFAULT_MAJOR, EmbeddedPostgres, ServerAddress
from rapidbyte.errors import RapidbyteError
from rapidbyte.model import RunReport

Sql = Callable[..., list[tuple[Any, ...]]]
Sync = Callable[..., RunReport]
KillSync = Callable[[str], None]
Same = Callable[..., None]

_ALL = "every_major"
_ONE = "default_major"
_OTHER_MAJORS = (16, 17)


def streams(*names: str, **keys: list[str]) -> str:
    """Streams of changes as one line; `keys` has the key of those that name one."""
    key = {name: {"primary_key": keys[name]} for name in keys}
    return json.dumps([{"name": name, "sync_mode": "cdc", **key.get(name, {})} for name in names])


def told_by(sync: Sync, **variables: str) -> tuple[str, str]:
    """Give the code and the message of the error that a run ends with."""
    with pytest.raises(RapidbyteError) as failed:
        sync(**variables)
    return failed.value.info.code, str(failed.value)


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks."""
    config.addinivalue_line("markers", f"{_ALL}: runs on each major version of Postgres, in the fast profile too")
    config.addinivalue_line("markers", f"{_ONE}: runs on one major version of Postgres, in the nightly profile too")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Choose the servers of a test; one on the default version has the name that it would have anyway."""
    if "quiet_server" not in metafunc.fixturenames:
        return
    major = chosen_major() or DEFAULT_MAJOR
    others = _OTHER_MAJORS if _has_all(metafunc.definition) and chosen_major() is None else ()
    servers = [pytest.param(major, id=pytest.HIDDEN_PARAM), *(pytest.param(other, id=f"pg{other}") for other in others)]
    metafunc.parametrize("quiet_server", servers, indirect=True, scope="module")


def _has_all(test: pytest.Item) -> bool:
    """Whether a test runs on each version that nobody has to choose."""
    if test.get_closest_marker(_ALL) is not None:
        return True
    return is_nightly() and test.get_closest_marker(_ONE) is None


@pytest.fixture(scope="module")
def quiet_server(request: pytest.FixtureRequest) -> Iterator[ServerAddress]:
    """A server for these tests alone: a slot waits for all transactions that write, and other tests hold some open.

    A test that asks for it while it runs gets the default version.
    """
    major = getattr(request, "param", None) or chosen_major() or DEFAULT_MAJOR
    with EmbeddedPostgres.start(major=major, settings=SETTINGS) as server:
        yield server.address


@pytest.fixture
def changes_database(request: pytest.FixtureRequest, quiet_server: ServerAddress) -> Iterator[ServerAddress]:
    """The address of a database of the test's own, with the tables in it."""
    name = f"changes_{secrets.token_hex(4)}"
    with psycopg.connect(quiet_server.dsn(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        address = replace(quiet_server, database=name)
        with psycopg.connect(address.dsn(), autocommit=True) as inside:
            seed(inside, "public", request.module.SEED)
        yield address
        drop_database(session, name)


@pytest.fixture
def changes_session(changes_database: ServerAddress) -> Iterator[psycopg.Connection]:
    """A session there, which commits each statement."""
    with psycopg.connect(changes_database.dsn(), autocommit=True) as session:
        yield session


@pytest.fixture
def run_sql(changes_session: psycopg.Connection) -> Sql:
    """Run a statement there, and return its rows."""

    def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        cursor = changes_session.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description is not None else []

    return run


@pytest.fixture
def changes_variables(request: pytest.FixtureRequest, changes_database: ServerAddress) -> Mapping[str, str]:
    """What the pipelines of changes refer to; `WRITER` writes where another user may."""
    address = changes_database
    streams_of_file = {"STREAMS": request.module.STREAMS} if hasattr(request.module, "STREAMS") else {}
    return {
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGPASSWORD": address.password,
        "CHANGES_DATABASE": address.database,
        "WRITER": address.user,
        "WRITER_PASSWORD": address.password,
        **streams_of_file,
    }


@pytest.fixture
def sync(request: pytest.FixtureRequest, run_pipeline: RunPipeline, changes_variables: Mapping[str, str]) -> Sync:
    """Run the file's `PIPELINE` to its end, with other variables where a test says so."""
    return lambda **more: run_pipeline(request.module.PIPELINE, **{**changes_variables, **more})


@pytest.fixture
def kill_sync(request: pytest.FixtureRequest, kill_run: KillRun, changes_variables: Mapping[str, str]) -> KillSync:
    """Run the file's `PIPELINE` until it is killed at a point."""
    return lambda point: kill_run(request.module.PIPELINE, point, **changes_variables)


@pytest.fixture
def same(changes_session: psycopg.Connection) -> Same:
    """Compare the tables that are named, or orders and items, with what was made of them in the schema `lake`."""

    def compare(*names: str) -> None:
        for name in names or ("orders", "items"):
            assert_same_table(changes_session, TableName("public", name), TableName("lake", name))

    return compare
