"""Fixtures of the server: one for the whole process, and a session to look into it with."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from harness.providers import ProvidedServer, provide_server
from rapidbyte.embedded import ServerAddress

KEEP_OPTION = "--keep-schemas"
_KEPT_NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --keep-schemas."""
    parser.addoption(KEEP_OPTION, action="store_true", help="leave every test's schemas, and the server, for a look")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say where kept schemas are."""
    for note in config.stash.get(_KEPT_NOTES, []):
        terminalreporter.write_line(note)


@pytest.fixture(scope="session")
def keeps_schemas(pytestconfig: pytest.Config) -> bool:
    """Whether the schemas of this run are to stay."""
    return bool(pytestconfig.getoption(KEEP_OPTION))


@pytest.fixture(scope="session")
def provided_server(pytestconfig: pytest.Config, keeps_schemas: bool) -> Iterator[ProvidedServer]:
    """This process's share in the Postgres of all test processes."""
    provided = provide_server()
    yield provided
    if keeps_schemas:
        note = f"Schemas are kept on {provided.address.dsn()}. {provided.keep()}"
        pytestconfig.stash.setdefault(_KEPT_NOTES, []).append(note)
    else:
        provided.close()


@pytest.fixture(scope="session")
def server(provided_server: ProvidedServer) -> ServerAddress:
    """The address of the Postgres that all test processes share."""
    return provided_server.address


@pytest.fixture(scope="session")
def owner_session(server: ServerAddress) -> Iterator[psycopg.Connection]:
    """A session in autocommit mode that lasts as long as the process: its locks mark what is ours."""
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        yield session


@pytest.fixture
def session(server: ServerAddress) -> Iterator[psycopg.Connection]:
    """A session in autocommit mode of the test's own."""
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        yield session
