"""Fixtures of a test's schemas and of what is put into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest

from harness.names import SchemaPair
from harness.schemas import SchemaOwner
from harness.seeds import seed

Seed = Callable[..., None]


@pytest.fixture(scope="session")
def schema_owner(owner_session: psycopg.Connection) -> SchemaOwner:
    """This process as an owner of schemas, after those of dead processes have been removed."""
    owner = SchemaOwner(owner_session)
    owner.drop_orphans()
    return owner


@pytest.fixture
def schemas(request: pytest.FixtureRequest, schema_owner: SchemaOwner, keeps_schemas: bool) -> Iterator[SchemaPair]:
    """The test's own schemas: the source exists and is empty, the destination does not exist yet."""
    pair = schema_owner.create(request.node.name)
    yield pair
    if keeps_schemas:
        schema_owner.keep(pair)
    else:
        schema_owner.drop(pair)


@pytest.fixture
def seeded(owner_session: psycopg.Connection, schemas: SchemaPair) -> Seed:
    """Run SQL files in the test's source schema: `seeded("fixtures/sql/users.sql")`."""
    return lambda *files: seed(owner_session, schemas.source, *files)
