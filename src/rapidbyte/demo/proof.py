"""The proof, in SQL alone, that a table arrived: same columns, same types, same rows, each as often."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod)
    FROM pg_attribute
    WHERE attrelid = to_regclass(format('%%I.%%I', %s::text, %s::text)) AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""


@dataclass(frozen=True, slots=True)
class TableProof:
    """What a comparison of one table found; `missing` and `surplus` count rows of the destination."""

    table: str
    source_rows: int
    destination_rows: int
    missing: int
    surplus: int
    has_equal_columns: bool

    @property
    def is_equal(self) -> bool:
        """Whether nothing at all differs."""
        return (
            self.has_equal_columns
            and self.source_rows == self.destination_rows
            and self.missing == 0
            and self.surplus == 0
        )


def compare_table(connection: psycopg.Connection, source: str, destination: str, table: str) -> TableProof:
    """Compare a table of schema `source` with its namesake in `destination`, row for row."""
    columns = [connection.execute(_COLUMNS, (schema, table)).fetchall() for schema in (source, destination)]
    has_equal_columns = bool(columns[0]) and columns[0] == columns[1]
    source_rows = _count(connection, sql.SQL("TABLE {}").format(sql.Identifier(source, table)))
    if not has_equal_columns:
        return TableProof(table, source_rows, 0, source_rows, 0, has_equal_columns=False)
    difference = sql.SQL("TABLE {} EXCEPT ALL TABLE {}")
    left, right = sql.Identifier(source, table), sql.Identifier(destination, table)
    return TableProof(
        table,
        source_rows,
        _count(connection, sql.SQL("TABLE {}").format(right)),
        _count(connection, difference.format(left, right)),
        _count(connection, difference.format(right, left)),
        has_equal_columns=True,
    )


def _count(connection: psycopg.Connection, query: sql.Composable) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM ({}) AS counted").format(query)).fetchone()
    assert row is not None
    count: int = row[0]
    return count
