"""Loading the data set into a Postgres schema by COPY."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
from psycopg import sql

from rapidbyte.demo.dataset import NULL_TEXT, TABLES, Table, open_csv

_CHUNK_BYTES = 1 << 18


def load_dataset(connection: psycopg.Connection, schema: str) -> Iterator[tuple[Table, int]]:
    """Create `schema` with all tables, give each with the rows it got as it is loaded, and commit at the end."""
    with connection.transaction():
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        for table in TABLES:
            yield table, _load_table(connection, schema, table)
    connection.execute(sql.SQL("ANALYZE"))


def _load_table(connection: psycopg.Connection, schema: str, table: Table) -> int:
    target = sql.Identifier(schema, table.name)
    definition = sql.SQL(table.columns).format(schema=sql.Identifier(schema))
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(target, definition))
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER, NULL {})").format(target, sql.Literal(NULL_TEXT))
    with connection.cursor() as cursor, open_csv(table) as file:
        with cursor.copy(statement) as copy:
            while chunk := file.read(_CHUNK_BYTES):
                copy.write(chunk)
        return cursor.rowcount
