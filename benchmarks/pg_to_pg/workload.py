"""The table that is moved: ten columns of mixed types, made by the server, the same rows on every machine."""

from __future__ import annotations

import psycopg
from psycopg import sql

SOURCE_SCHEMA = "bench_source"
DESTINATION_SCHEMA = "bench_destination"
TABLE = "mixed"

_DEFINITION = sql.SQL(
    """
    CREATE TABLE {} (
        id bigint NOT NULL,
        quantity integer NOT NULL,
        ratio double precision,
        is_active boolean,
        note text,
        code varchar(32),
        created_at timestamptz,
        born_on date,
        price numeric(12,2),
        attributes jsonb
    )
    """
)

_ROWS = sql.SQL(
    """
    INSERT INTO {}
    SELECT
        n,
        (n * 7919) % 1000000,
        CASE WHEN n % 50 <> 0 THEN sqrt(n) END,
        n % 3 = 0,
        'note ' || n || ' ' || md5(n::text),
        'C-' || to_hex(n * 2654435761 % 4294967296),
        timestamptz '2020-01-01 00:00:00+00' + n * interval '1 second',
        date '1970-01-01' + (n % 20000)::int,
        (n % 10000000)::numeric / 100,
        jsonb_build_object('k', n, 'tags', jsonb_build_array('a', 'b', n % 10))
    FROM generate_series(1, {}::bigint) AS n
    """
)


def make_source(session: psycopg.Connection, rows: int) -> None:
    """Make the source table anew with that many rows."""
    schema, table = sql.Identifier(SOURCE_SCHEMA), sql.Identifier(SOURCE_SCHEMA, TABLE)
    session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
    session.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
    session.execute(_DEFINITION.format(table))
    session.execute(_ROWS.format(table, sql.Literal(rows)))
    session.execute(sql.SQL("VACUUM (FREEZE, ANALYZE) {}").format(table))


def fill_destination(session: psycopg.Connection) -> None:
    """Make the destination with a key and all rows of the source, and write everything out."""
    clear_destination(session, with_table=True)
    source, table = sql.Identifier(SOURCE_SCHEMA, TABLE), sql.Identifier(DESTINATION_SCHEMA, TABLE)
    session.execute(sql.SQL("INSERT INTO {} SELECT * FROM {}").format(table, source))
    session.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(table))
    session.execute(sql.SQL("VACUUM (ANALYZE) {}").format(table))
    session.execute("CHECKPOINT")


def add_source_key(session: psycopg.Connection) -> None:
    """Give the source table the key that an upsert goes by."""
    session.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(sql.Identifier(SOURCE_SCHEMA, TABLE)))


def clear_destination(session: psycopg.Connection, *, with_table: bool) -> None:
    """Remove the destination and write everything out, so that the next run starts as the last one did."""
    schema = sql.Identifier(DESTINATION_SCHEMA)
    session.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(schema))
    if with_table:
        session.execute(sql.SQL("CREATE SCHEMA {}").format(schema))
        session.execute(_DEFINITION.format(sql.Identifier(DESTINATION_SCHEMA, TABLE)))
    session.execute("CHECKPOINT")


def check_destination(session: psycopg.Connection, rows: int) -> None:
    """Make sure that a run that is to count has moved everything."""
    query = sql.SQL("SELECT count(*), sum(id) FROM {}").format(sql.Identifier(DESTINATION_SCHEMA, TABLE))
    found = session.execute(query).fetchone()
    if found != (rows, rows * (rows + 1) // 2):
        raise RuntimeError(f"A run moved {found} instead of {rows} rows; its time means nothing.")
