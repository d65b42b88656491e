"""The oracle must see every difference, and say it so that a reader finds it."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table

_ROWS = "(1, 'a'), (2, NULL), (2, NULL)"


@pytest.fixture
def tables(session: psycopg.Connection, schemas: SchemaPair) -> tuple[TableName, TableName]:
    """Two equal tables, one of them in a schema that this makes."""
    session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schemas.destination)))
    names = TableName(schemas.source, "t"), TableName(schemas.destination, "t")
    for name in names:
        _run(session, name, "CREATE TABLE {} (id int, label char(3))")
        _run(session, name, f"INSERT INTO {{}} VALUES {_ROWS}")
    return names


def _run(session: psycopg.Connection, table: TableName, statement: str) -> None:
    quoted = sql.Identifier(table.schema, table.name).as_string(session)
    session.execute(statement.replace("{}", quoted).encode())


def test_equal_tables_pass(session: psycopg.Connection, tables: tuple[TableName, TableName]) -> None:
    assert_same_table(session, *tables)


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("DELETE FROM {} WHERE id = 1", "  - id='1', label='a  '"),
        ("INSERT INTO {} VALUES (2, NULL)", "  + id='2', label=None"),
        ("UPDATE {} SET label = '' WHERE id = 1", "  - id='1', label='a  '\n  + id='1', label='   '"),
        ("ALTER TABLE {} ALTER label TYPE char(4)", "  - label character(3)\n  + label character(4)"),
        ("ALTER TABLE {} ADD more int", "  + more integer"),
        ("ALTER TABLE {} DROP label", "  - label character(3)"),
        ("DROP TABLE {}", "  - id integer\n  - label character(3)"),
    ],
)
def test_each_difference_is_found_and_shown(
    session: psycopg.Connection, tables: tuple[TableName, TableName], statement: str, difference: str
) -> None:
    _run(session, tables[1], statement)
    with pytest.raises(AssertionError) as caught:
        assert_same_table(session, *tables)
    assert str(caught.value).split("\n", 1)[1].startswith(difference)


def test_one_row_exchanged_for_another_of_the_table_is_found(
    session: psycopg.Connection, tables: tuple[TableName, TableName]
) -> None:
    _run(session, tables[1], "DELETE FROM {} WHERE ctid IN (SELECT max(ctid) FROM {})")
    _run(session, tables[1], "INSERT INTO {} VALUES (1, 'a')")
    with pytest.raises(AssertionError, match=r"- id='2', label=None\n  \+ id='1', label='a  '"):
        assert_same_table(session, *tables)


def test_copies_are_counted(session: psycopg.Connection, tables: tuple[TableName, TableName]) -> None:
    _run(session, tables[1], f"INSERT INTO {{}} VALUES {_ROWS}")
    assert_same_table(session, *tables, copies=2)
    with pytest.raises(AssertionError, match="surplus"):
        assert_same_table(session, *tables)


def test_projection_is_compared_in_its_own_order(
    session: psycopg.Connection, tables: tuple[TableName, TableName]
) -> None:
    _run(session, tables[1], "ALTER TABLE {} DROP id")
    assert_same_table(session, *tables, columns=["label"])
    with pytest.raises(AssertionError, match="- id integer"):
        assert_same_table(session, *tables, columns=["label", "id"])


def test_source_without_the_table_is_a_mistake_of_the_test(session: psycopg.Connection, schemas: SchemaPair) -> None:
    with pytest.raises(AssertionError, match="does not exist or has no columns"):
        assert_same_table(session, TableName(schemas.source, "t"), TableName(schemas.destination, "t"))
