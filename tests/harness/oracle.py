"""The oracle: exact comparison of two tables by columns, types and rows, with a readable difference.

Rows are compared by the text that each type's own output function prints, which tells apart all that Postgres itself
can: -0 from 0, the padding of char(n), the scale of a numeric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg import sql

_SHOWN_ROWS = 10
_COLUMNS = """
    SELECT attname, format_type(atttypid, atttypmod)
    FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = %s AND relname = %s AND attnum > 0 AND NOT attisdropped
    ORDER BY attnum
"""

Column = tuple[str, str]


@dataclass(frozen=True, slots=True)
class TableName:
    """A table of a schema, both as they are stored, without quotes."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


def columns_of(session: psycopg.Connection, table: TableName) -> list[Column]:
    """List the names and types of a table's columns in their order; none when there is no such table."""
    return session.execute(_COLUMNS, (table.schema, table.name)).fetchall()


def row_count(session: psycopg.Connection, table: TableName) -> int:
    """Count the rows of a table."""
    row = session.execute(sql.SQL("SELECT count(*) FROM {}").format(_identifier(table))).fetchone()
    assert row is not None
    count: int = row[0]
    return count


def assert_same_table(
    session: psycopg.Connection,
    source: TableName,
    destination: TableName,
    *,
    columns: Sequence[str] | None = None,
    copies: int = 1,
) -> None:
    """Fail unless `destination` holds exactly the rows of `source`, `copies` times, and exactly its columns and types.

    `columns` names those of the source that were to arrive, in order; None is all of them.
    """
    __tracebackhide__ = True
    expected = columns_of(session, source)
    assert expected, f"{source} does not exist or has no columns"
    if columns is not None:
        expected = [next(column for column in expected if column[0] == name) for name in columns]
    actual = columns_of(session, destination)
    assert actual == expected, _columns_difference(source, expected, destination, actual)
    assert row_count(session, destination) == row_count(session, source) * copies, _rows_difference(
        session, source, destination, expected, copies
    )
    difference = _rows_difference(session, source, destination, expected, copies)
    assert not difference, difference


def _rows_difference(
    session: psycopg.Connection, source: TableName, destination: TableName, columns: Sequence[Column], copies: int
) -> str:
    texts = sql.SQL(", ").join(
        sql.SQL("CASE WHEN {0} IS DISTINCT FROM NULL THEN format('%s', {0}) END").format(sql.Identifier(name))
        for name, _ in columns
    )
    wanted = sql.SQL("SELECT {} FROM {} CROSS JOIN generate_series(1, {})").format(
        texts, _identifier(source), sql.Literal(copies)
    )
    found = sql.SQL("SELECT {} FROM {}").format(texts, _identifier(destination))
    lines = []
    for sign, left, right in (("-", wanted, found), ("+", found, wanted)):
        query = sql.SQL("{} EXCEPT ALL ({}) ORDER BY {} LIMIT {}").format(
            left, right, sql.SQL(", ").join(sql.Literal(i + 1) for i in range(len(columns))), sql.Literal(_SHOWN_ROWS)
        )
        lines += [f"  {sign} {_shown(row, columns)}" for row in session.execute(query).fetchall()]
    if not lines:
        return ""
    header = f"rows of {source} ({row_count(session, source)} x {copies}) and {destination} "
    header += f"({row_count(session, destination)}) differ; - missing, + surplus, at most {_SHOWN_ROWS} of each:"
    return "\n".join([header, *lines])


def _shown(row: Sequence[str | None], columns: Sequence[Column]) -> str:
    return ", ".join(f"{name}={value!r}" for (name, _), value in zip(columns, row, strict=True))


def _columns_difference(
    source: TableName, expected: Sequence[Column], destination: TableName, actual: Sequence[Column]
) -> str:
    lines = [f"columns of {source} and {destination} differ; - missing, + surplus:"]
    lines += [f"  - {name} {kind}" for name, kind in expected if (name, kind) not in actual]
    lines += [f"  + {name} {kind}" for name, kind in actual if (name, kind) not in expected]
    return "\n".join(lines if len(lines) > 1 else [*lines, f"  the order: {expected} became {actual}"])


def _identifier(table: TableName) -> sql.Identifier:
    return sql.Identifier(table.schema, table.name)
