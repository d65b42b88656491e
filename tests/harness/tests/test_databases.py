"""Databases of tests: their names, and what becomes of those that a crashed process left."""

from __future__ import annotations

import secrets

import psycopg
from psycopg import sql

from harness.names import SchemaPair, database_name, owner_of, schema_pair
from harness.schemas import SchemaOwner
from rapidbyte.embedded import ServerAddress


def test_database_has_the_owner_and_the_name_of_its_schemas() -> None:
    pair = schema_pair("test_state", 0x1234ABCD, 7)
    assert database_name(pair) == "db_state_1234abcd0007"
    assert owner_of(database_name(pair)) == 0x1234ABCD
    assert owner_of("db_of_somebody_else") is None


def test_databases_of_dead_owners_are_dropped_and_those_of_the_living_stay(
    server: ServerAddress, owner_session: psycopg.Connection, database: ServerAddress, schemas: SchemaPair
) -> None:
    orphan = database_name(schema_pair("orphan", secrets.randbits(32), 1))
    owner_session.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(orphan)))
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        dropped = SchemaOwner(session).drop_orphans()
        names = {name for (name,) in session.execute("SELECT datname FROM pg_database").fetchall()}
    assert orphan in dropped
    assert orphan not in names
    assert database.database in names
    assert database.database == database_name(schemas)
