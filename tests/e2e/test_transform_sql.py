"""The SQL transform: what leaves it, what it refuses before a row moves, and rows that it cannot compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest
from syrupy.assertion import SnapshotAssertion

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table, columns_of
from rapidbyte.errors import ConfigError, DataError, SchemaError
from rapidbyte.model import StateSpec
from rapidbyte.state import DeadLetter, RejectedAt, open_state

_ONE = "fixtures/pipelines/sql/one_query.yaml"
_CHAIN = "fixtures/pipelines/sql/two_queries.yaml"

Refusal = Callable[[str], str]


@pytest.fixture
def orders(ask: Ask) -> str:
    """A table of six orders, one of them without an amount; its name."""
    ask(
        "CREATE TABLE {s}.orders (id int PRIMARY KEY, customer text NOT NULL, amount numeric(10,2), placed timestamptz,"
        " ref uuid, note jsonb)"
    )
    ask(
        "INSERT INTO {s}.orders SELECT i, 'c' || i % 3, nullif(i * 10.5, 42), timestamptz '2024-01-01 00:00Z' + i * "
        "interval '1 day', ('00000000-0000-0000-0000-00000000000' || i)::uuid, jsonb_build_object('n', i)"
        " FROM generate_series(1, 6) AS i"
    )
    return "orders"


@pytest.fixture
def refusal(variables: Mapping[str, str], orders: str) -> Refusal:
    """What `check` says against a query over the orders."""

    def check(query: str) -> str:
        with pytest.raises((ConfigError, SchemaError)) as caught:
            rapidbyte.check_pipeline(Path(_ONE), env={**variables, "STREAM": orders, "QUERY": query})
        return f"{caught.value.info.code}: {caught.value}"

    return check


def test_filter_and_projection_give_exactly_these_rows_and_types(
    ask: Ask, schemas: SchemaPair, session: psycopg.Connection, orders: str, run_pipeline: RunPipeline
) -> None:
    query = (
        "SELECT id, upper(customer) AS who, amount * 2 AS twice, placed, ref, note, amount IS NULL AS is_free"
        " FROM orders WHERE id > 2 AND (amount > 40 OR amount IS NULL)"
    )
    report = run_pipeline(_ONE, STREAM=orders, QUERY=query)
    (stream,) = report.streams
    assert (stream.rows_read, stream.rows_written, stream.rows_rejected) == (6, 3, 0)
    assert columns_of(session, TableName(schemas.destination, "orders")) == [
        ("id", "integer"),
        ("who", "text"),
        ("twice", "numeric(21,2)"),
        ("placed", "timestamp with time zone"),
        ("ref", "uuid"),
        ("note", "jsonb"),
        ("is_free", "boolean"),
    ]
    assert ask("SELECT id, who, twice::text, ref::text, note::text, is_free FROM {d}.orders ORDER BY id") == [
        (4, "C1", None, "00000000-0000-0000-0000-000000000004", '{"n": 4}', True),
        (5, "C2", "105.00", "00000000-0000-0000-0000-000000000005", '{"n": 5}', False),
        (6, "C0", "126.00", "00000000-0000-0000-0000-000000000006", '{"n": 6}', False),
    ]


def test_every_type_passes_unchanged_beside_a_computed_column(
    ask: Ask, schemas: SchemaPair, session: psycopg.Connection, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/all_types.sql", "fixtures/sql/hard_values.sql")
    for table in ("all_types", "hard_values"):
        query = f"SELECT *, id % 2 AS odd FROM {table} WHERE id IS NOT NULL"
        run_pipeline(_ONE, STREAM=table, QUERY=query)
        assert columns_of(session, TableName(schemas.destination, table))[-1] == ("odd", "integer")
        ask(f"ALTER TABLE {{d}}.{table} DROP COLUMN odd")
        assert_same_table(session, TableName(schemas.source, table), TableName(schemas.destination, table))


def test_query_that_changes_nothing_gives_the_same_table(
    schemas: SchemaPair, session: psycopg.Connection, seeded: Seed, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/all_types.sql")
    run_pipeline(_ONE, STREAM="all_types", QUERY="SELECT * FROM all_types")
    assert_same_table(session, TableName(schemas.source, "all_types"), TableName(schemas.destination, "all_types"))


def test_chain_reads_what_the_query_before_gave(ask: Ask, orders: str, run_pipeline: RunPipeline) -> None:
    first = "SELECT id, customer AS who, coalesce(amount, 0.00) AS amount FROM orders WHERE customer <> 'c0'"
    second = "SELECT who, amount + 0.50 AS amount, 'no. ' || id::text AS label FROM orders WHERE amount < 50"
    report = run_pipeline(_CHAIN, STREAM=orders, QUERY=first, SECOND_QUERY=second)
    assert (report.rows_read, report.rows_written) == (6, 3)
    assert ask("SELECT who, amount::text, label FROM {d}.orders ORDER BY label") == [
        ("c1", "11.00", "no. 1"),
        ("c2", "21.50", "no. 2"),
        ("c1", "0.50", "no. 4"),
    ]


def test_upsert_goes_by_the_key_under_the_name_that_the_query_gives_it(
    ask: Ask, orders: str, run_pipeline: RunPipeline
) -> None:
    query = "SELECT id AS number, customer FROM orders WHERE id < 3"
    for _ in range(2):
        run_pipeline(_ONE, STREAM=orders, QUERY=query, WRITE_MODE="upsert")
        ask("UPDATE {s}.orders SET customer = 'changed' WHERE id = 1")
    assert ask("SELECT number, customer FROM {d}.orders ORDER BY number") == [(1, "changed"), (2, "c2")]


def test_infinite_and_undefined_values_are_compared_as_the_server_compares_them(
    ask: Ask, run_pipeline: RunPipeline
) -> None:
    ask("CREATE TABLE {s}.t (id int, d date, ts timestamp, n numeric(6,2))")
    ask("INSERT INTO {s}.t VALUES (1, 'infinity', '-infinity', 'NaN'), (2, '2024-01-01', '2024-01-01', 5)")
    ask("INSERT INTO {s}.t VALUES (3, NULL, NULL, NULL)")
    query = (
        "SELECT id, d, ts, n, d > '2024-06-01' AS a, ts < '0001-01-01' AS b, n > 5 AS c, n = 'NaN' AS e,"
        " d = 'infinity' AS f, coalesce(d, d) AS g, CASE WHEN id > 0 THEN n END AS h, d::text AS i FROM t"
    )
    run_pipeline(_ONE, STREAM="t", QUERY=query)
    computed = "a, b, c, e, f, g::text, h::text, i, d::text, ts::text, n::text"
    given = (
        "d > '2024-06-01', ts < '0001-01-01', n > 5, n = 'NaN', d = 'infinity', d::text, n::text, d::text, d::text,"
        " ts::text, n::text"
    )
    assert ask(f"SELECT {computed} FROM {{d}}.t ORDER BY id") == ask(f"SELECT {given} FROM {{s}}.t ORDER BY id")


REFUSED = [
    "SELECT id FROM input",
    "SELECT id FROM customers",
    "SELECT id FROM sales.orders",
    "SELECT price FROM orders",
    "SELECT id FROM orders WHERE totl > 5",
    "SELEC id FROM orders",
    "SELECT id FROM orders WHERE",
    "SELECT id FROM orders; SELECT id FROM orders",
    "DELETE FROM orders",
    "SELECT 1 AS one",
    "SELECT count(*) AS n FROM orders",
    "SELECT customer, sum(amount) AS total FROM orders GROUP BY customer",
    "SELECT id, row_number() OVER (ORDER BY id) AS place FROM orders",
    "SELECT DISTINCT customer FROM orders",
    "SELECT id FROM orders ORDER BY id",
    "SELECT id FROM orders LIMIT 10",
    "SELECT id FROM orders OFFSET 10",
    "SELECT id FROM orders UNION ALL SELECT id FROM orders",
    "SELECT a.id FROM orders a JOIN orders b ON a.id = b.id",
    "SELECT id FROM orders WHERE id IN (SELECT id FROM orders)",
    "SELECT id FROM orders TABLESAMPLE BERNOULLI (10)",
    "WITH t AS (SELECT customer, count(*) AS n FROM orders GROUP BY customer) SELECT customer, n FROM t",
    "WITH t AS (SELECT id FROM orders LIMIT 1) SELECT id FROM t",
    "WITH RECURSIVE t AS (SELECT id FROM orders UNION ALL SELECT id FROM t) SELECT id FROM t",
    "WITH t AS (SELECT id FROM customers) SELECT id FROM orders",
    "SELECT id FROM (SELECT DISTINCT id FROM orders) o",
    "SELECT id FROM (SELECT id FROM orders ORDER BY id FETCH FIRST 3 ROWS ONLY) o",
    "SELECT id FROM (SELECT id, rank() OVER (ORDER BY id) AS place FROM orders) o WHERE place < 3",
    "SELECT id FROM (SELECT id FROM orders UNION SELECT id FROM orders) o",
    "SELECT id, (SELECT max(id) FROM orders) AS most FROM orders",
    "SELECT id FROM orders WHERE EXISTS (SELECT 1 FROM orders o WHERE o.id = orders.id)",
    "SELECT id FROM orders WHERE sum(id) > 1",
    "SELECT coalesce(max(id), 0) AS most FROM orders",
    "SELECT sum(amount) FILTER (WHERE id > 1) OVER w AS total FROM orders WINDOW w AS (ORDER BY id)",
    "SELECT DISTINCT ON (customer) id FROM orders",
    "SELECT id FROM orders EXCEPT SELECT id FROM orders",
    "SELECT id FROM orders, orders AS o",
    "SELECT generate_series(1, 3) AS place FROM orders",
    "SELECT id, random() AS luck FROM orders",
    "SELECT id, gen_random_uuid() AS ref FROM orders",
    "EXPLAIN SELECT id FROM orders",
    "SELECT * FROM information_schema.tables",
    "SELECT amount * 2 FROM orders",
    "SELECT id, customer AS id FROM orders",
    "SELECT to_char(placed, 'YYYY') AS year FROM orders",
    "SELECT placed AT TIME ZONE 'UTC' AS local FROM orders",
    "SELECT EXTRACT(second FROM placed) AS second FROM orders",
    "SELECT id FROM orders WHERE note = '{}'",
    "SELECT note ->> 'n' AS n FROM orders",
    "SELECT id FROM orders WHERE ref = 'none'",
    "SELECT id FROM orders WHERE ref = customer",
    "SELECT id FROM orders WHERE id = customer",
    "SELECT id || customer AS both FROM orders",
    "SELECT coalesce(amount, 'none') AS amount FROM orders",
    "SELECT sqrt(amount) AS root FROM orders",
    "SELECT amount::numeric AS amount FROM orders",
    "SELECT customer::varchar(3) AS short FROM orders",
    "SELECT placed - placed AS waited FROM orders",
    "SELECT 9223372036854775807 + 1 AS much FROM orders",
    "SELECT 'x'::integer AS x FROM orders",
    "SELECT NULL AS nothing FROM orders",
    "SELECT " + "(" * 200 + "id" + ")" * 200 + " AS deep FROM orders",
    "SELECT id FROM orders WHERE " + " OR ".join(["id = 1"] * 200),
]


def test_what_no_transform_can_do_is_refused_at_the_check(refusal: Refusal, snapshot: SnapshotAssertion) -> None:
    assert {query[:120]: refusal(query) for query in REFUSED} == snapshot


@pytest.mark.parametrize(
    ("name", "problem"), [("", "is empty"), ("é" * 32, "has 64 bytes, and Postgres takes 63 at most")]
)
def test_name_that_no_column_can_have_is_refused_at_the_check(refusal: Refusal, name: str, problem: str) -> None:
    assert refusal(f'SELECT id, customer AS "{name}" FROM orders').startswith("name_not_possible: ")
    assert problem in refusal(f'SELECT id, customer AS "{name}" FROM orders')


def test_longest_name_of_a_column_arrives_whole(ask: Ask, orders: str, run_pipeline: RunPipeline) -> None:
    name = "é" * 31 + "x"
    run_pipeline(_ONE, STREAM=orders, QUERY=f'SELECT id AS "{name}" FROM orders WHERE id = 1')
    assert ask(f'SELECT "{name}" FROM {{d}}.orders') == [(1,)]


def test_refused_query_moves_no_row(ask: Ask, orders: str, run_pipeline: RunPipeline) -> None:
    with pytest.raises(ConfigError):
        run_pipeline(_ONE, STREAM=orders, QUERY="SELECT count(*) AS n FROM orders")
    assert ask("SELECT to_regclass('{d}.orders')") == [(None,)]


def test_deepest_queries_that_are_taken_are_planned_and_run(ask: Ask, orders: str, run_pipeline: RunPipeline) -> None:
    deep = "(" * 25 + "id" + " + 1)" * 25
    chain = " OR ".join(["id = 1"] * 60)
    run_pipeline(_ONE, STREAM=orders, QUERY=f"SELECT id, {deep} AS deep FROM orders WHERE {chain}")
    assert ask("SELECT id, deep FROM {d}.orders") == [(1, 26)]


def test_rows_that_cannot_be_computed_follow_the_policy(ask: Ask, run_pipeline: RunPipeline, state_path: Path) -> None:
    ask("CREATE TABLE {s}.t (id int, label text)")
    ask("INSERT INTO {s}.t SELECT i, CASE WHEN i IN (3, 70) THEN 'x' ELSE i::text END FROM generate_series(1, 100) i")
    query = "SELECT id, label::integer AS number FROM t WHERE id <> 5"
    with pytest.raises(DataError, match="Cannot cast string 'x' to value of Int32 type"):
        run_pipeline(_ONE, STREAM="t", QUERY=query)
    for policy in ("skip", "dlq"):
        (stream,) = run_pipeline(_ONE, STREAM="t", QUERY=query, ON_DATA_ERROR=policy).streams
        assert (stream.rows_read, stream.rows_written, stream.rows_rejected) == (100, 97, 2)
        assert ask("SELECT count(*), sum(number) FROM {d}.t") == [(97, 5050 - 3 - 5 - 70)]
        ask("DROP TABLE {d}.t")
    letters = _letters(state_path)
    assert [(letter.rejected_at, letter.row) for letter in letters] == [
        (RejectedAt.TRANSFORM, {"id": "3", "label": "x"}),
        (RejectedAt.TRANSFORM, {"id": "70", "label": "x"}),
    ]
    assert letters[0].reasons == ("The query cannot compute a row: Cannot cast string 'x' to value of Int32 type.",)


@pytest.mark.parametrize(
    ("expression", "value", "reason"),
    [
        ("100 / n", "0", "division by zero"),
        ("n + 1", "2147483647", "Overflow happened on: 2147483647 + 1"),
        ("-n", "-2147483648", "Overflow happened on: 0 - -2147483648"),
        (
            "n::numeric(10,0) * 99999999999999999999999999999",
            "1200000000",
            "a value has more digits than numeric(38,0) holds",
        ),
        ("n::smallint", "40000", "Can't cast value 40000 to type Int16"),
    ],
)
def test_row_is_never_computed_wrongly_in_silence(
    ask: Ask, run_pipeline: RunPipeline, expression: str, value: str, reason: str
) -> None:
    ask("CREATE TABLE {s}.t (n int)")
    ask(f"INSERT INTO {{s}}.t VALUES (5), ({value})")
    with pytest.raises(DataError) as caught:
        run_pipeline(_ONE, STREAM="t", QUERY=f"SELECT {expression} AS x FROM t")
    assert f"The query cannot compute a row: {reason}." in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "column", "value"),
    [
        ("n * 2", "n numeric(6,2)", "NaN"),
        ("date_trunc('month', d)", "d date", "infinity"),
        ("EXTRACT(year FROM ts)", "ts timestamp", "-infinity"),
        ("date_trunc('month', d)", "d date", "5874897-01-01"),
        ("ts > '2024-01-01'", "ts timestamp", "294276-12-31 23:59:59"),
    ],
)
def test_value_that_arrow_would_take_for_another_is_not_computed_with(
    ask: Ask, run_pipeline: RunPipeline, expression: str, column: str, value: str
) -> None:
    ask(f"CREATE TABLE {{s}}.t ({column})")
    ask(f"INSERT INTO {{s}}.t VALUES ('{value}')")
    with pytest.raises(DataError, match="which a transform can only pass on"):
        run_pipeline(_ONE, STREAM="t", QUERY=f"SELECT {expression} AS x FROM t")


def _letters(state_path: Path) -> list[DeadLetter]:
    with open_state(StateSpec(connection=str(state_path))) as state:
        return [stored.letter for stored in state.dead_letters.list()]
