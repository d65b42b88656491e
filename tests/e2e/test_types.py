"""Every common type through every load method: values and column types arrive as they left."""

from __future__ import annotations

import datetime
from decimal import Decimal
from ipaddress import IPv4Interface, IPv4Network, IPv6Address, IPv6Network
from uuid import UUID

import psycopg
import pytest
from psycopg import sql

from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table, columns_of

_LOAD_METHODS = ["copy", "insert"]

_ALL_TYPES = [
    ("id", "integer"),
    ("c_smallint", "smallint"),
    ("c_int", "integer"),
    ("c_bigint", "bigint"),
    ("c_real", "real"),
    ("c_double", "double precision"),
    ("c_bool", "boolean"),
    ("c_text", "text"),
    ("c_varchar", "character varying(255)"),
    ("c_char", "character(10)"),
    ("c_timestamp", "timestamp without time zone"),
    ("c_timestamptz", "timestamp with time zone"),
    ("c_date", "date"),
    ("c_bytea", "bytea"),
    ("c_json", "json"),
    ("c_jsonb", "jsonb"),
    ("c_numeric", "numeric(18,6)"),
    ("c_uuid", "uuid"),
    ("c_time", "time without time zone"),
    ("c_timetz", "time with time zone"),
    ("c_interval", "interval"),
    ("c_inet", "inet"),
    ("c_cidr", "cidr"),
    ("c_macaddr", "macaddr"),
]

# Column -> the text that Postgres prints for the values of rows 1, 3 and 4; row 2 is all NULL.
_TEXTS = {
    "c_smallint": ("42", "-32768", "32767"),
    "c_int": ("123456", "-2147483648", "2147483647"),
    "c_bigint": ("9876543210", "-9223372036854775808", "9223372036854775807"),
    "c_real": ("3.14", "NaN", "-Infinity"),
    "c_double": ("2.718281828459045", "Infinity", "1.7976931348623157e+308"),
    "c_bool": ("t", "f", "t"),
    "c_text": ("hello", "", "🚀 数据移动"),
    "c_varchar": ("world", "", "x" * 255),
    "c_char": ("fixed     ", " " * 10, "ten chars!"),
    "c_timestamp": ("2024-01-15 10:30:00.123456", "1970-01-01 00:00:00", "9999-12-31 23:59:59.999999"),
    "c_timestamptz": ("2024-01-15 08:30:00.123456+00", "1970-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"),
    "c_date": ("2024-01-15", "1970-01-01", "9999-12-31"),
    "c_bytea": ("\\xdeadbeef", "\\x", "\\x00ff00"),
    "c_json": ('{"key": "value",  "n": 1}', "{}", '{"a": {"b": {"c": [1, [2, {"d": "深い"}]]}}}'),
    "c_jsonb": ('{"a": null, "b": [1, 2]}', "{}", '{"a": {"b": {"c": [1, [2, {"d": "深い"}]]}}}'),
    "c_numeric": ("12345.678900", "-999999999999.999999", "999999999999.999999"),
    "c_uuid": (
        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff",
    ),
    "c_time": ("10:30:00.5", "00:00:00", "23:59:59.999999"),
    "c_timetz": ("10:30:00+02", "00:00:00+00", "23:59:59.999999-15:59"),
    "c_interval": ("1 year 2 mons 3 days 04:05:06.789", "00:00:00", "100 years"),
    "c_inet": ("192.168.1.5/24", "0.0.0.0", "2001:db8::ffff"),
    "c_cidr": ("10.0.0.0/8", "0.0.0.0/0", "ffff:ffff::/32"),
    "c_macaddr": ("08:00:2b:01:02:03", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff"),
}


@pytest.mark.parametrize("load_method", _LOAD_METHODS)
def test_every_column_of_all_types_arrives_equal_value_by_value(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline, load_method: str
) -> None:
    seeded("fixtures/sql/all_types.sql")
    report = run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="all_types", LOAD_METHOD=load_method)
    assert (report.rows_read, report.rows_written) == (4, 4)
    destination = TableName(schemas.destination, "all_types")
    assert columns_of(session, destination) == _ALL_TYPES
    session.execute("SET TimeZone = 'UTC'")
    for column, (ordinary, least, greatest) in _TEXTS.items():
        query = sql.SQL("SELECT CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END FROM {1} ORDER BY id").format(
            sql.Identifier(column), sql.Identifier(destination.schema, destination.name)
        )
        assert [text for (text,) in session.execute(query)] == [ordinary, None, least, greatest], column
    assert_same_table(session, TableName(schemas.source, "all_types"), destination)


@pytest.mark.parametrize("load_method", _LOAD_METHODS)
def test_values_that_a_careless_copy_loses_arrive_equal(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline, load_method: str
) -> None:
    seeded("fixtures/sql/hard_values.sql")
    report = run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="hard_values", LOAD_METHOD=load_method)
    assert (report.rows_read, report.rows_written) == (3, 3)
    assert_same_table(session, TableName(schemas.source, "hard_values"), TableName(schemas.destination, "hard_values"))


@pytest.mark.parametrize("load_method", _LOAD_METHODS)
def test_types_that_somebody_made_arrive_as_these_types(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline, load_method: str
) -> None:
    seeded("fixtures/sql/user_types.sql")
    run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="user_types", LOAD_METHOD=load_method)
    destination = TableName(schemas.destination, "user_types")
    assert columns_of(session, destination) == [
        ("id", "integer"),
        ("a_mood", f"{schemas.source}.mood"),
        ("a_count", f"{schemas.source}.positive"),
        ("a_place", f"{schemas.source}.place"),
        ("moods", f"{schemas.source}.mood[]"),
    ]
    assert_same_table(session, TableName(schemas.source, "user_types"), destination)


def test_a_client_of_the_destination_reads_the_values_it_expects(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/all_types.sql")
    run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="all_types")
    query = sql.SQL(
        "SELECT c_double, c_bytea, c_jsonb, c_numeric, c_uuid, c_date, c_inet, c_cidr FROM {} WHERE id IN (1, 4)"
    ).format(sql.Identifier(schemas.destination, "all_types"))
    assert session.execute(sql.SQL("{} ORDER BY id").format(query)).fetchall() == [
        (
            2.718281828459045,
            b"\xde\xad\xbe\xef",
            {"a": None, "b": [1, 2]},
            Decimal("12345.678900"),
            UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
            datetime.date(2024, 1, 15),
            IPv4Interface("192.168.1.5/24"),
            IPv4Network("10.0.0.0/8"),
        ),
        (
            1.7976931348623157e308,
            b"\x00\xff\x00",
            {"a": {"b": {"c": [1, [2, {"d": "深い"}]]}}},
            Decimal("999999999999.999999"),
            UUID("ffffffff-ffff-ffff-ffff-ffffffffffff"),
            datetime.date(9999, 12, 31),
            IPv6Address("2001:db8::ffff"),
            IPv6Network("ffff:ffff::/32"),
        ),
    ]
