"""Applied changes where the destination has rules of its own: unique values, references, checks and privileges."""

from __future__ import annotations

import secrets

import pytest

from harness.fix_changes import Same, Sql, Sync, streams, told_by

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/applied_changes.yaml"
STREAMS = streams("orders", "items", items=["sku"])


def test_unique_values_that_change_places(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql(
        "ALTER TABLE orders ADD UNIQUE (note); CREATE SCHEMA lake; CREATE TABLE lake.orders (LIKE orders INCLUDING ALL)"
    )
    run_sql("INSERT INTO orders (id, note) VALUES (3, 'third')")
    sync(STREAMS=streams("orders"))
    run_sql("UPDATE orders SET note = NULL WHERE id = 1; UPDATE orders SET note = 'first' WHERE id = 3")
    run_sql("UPDATE orders SET note = 'third' WHERE id = 1; UPDATE orders SET id = 4 WHERE id = 3")
    run_sql("DELETE FROM orders WHERE id = 1; INSERT INTO orders (id, note) VALUES (5, 'third')")
    sync(STREAMS=streams("orders"))
    same("orders")


_FAMILY = streams("child", "parent")


def _make_family(run_sql: Sql, actions: str) -> None:
    """Make a table that refers to another and to itself, here and in the destination."""
    for schema in ("public", "lake"):
        run_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        run_sql(f"CREATE TABLE {schema}.parent (id int PRIMARY KEY, big text)")
        run_sql(f"ALTER TABLE {schema}.parent ALTER big SET STORAGE EXTERNAL")
        run_sql(
            f"CREATE TABLE {schema}.child (id int PRIMARY KEY, parent int REFERENCES {schema}.parent {actions}, "
            f"elder int REFERENCES {schema}.child {actions}, big text)"
        )
        run_sql(f"ALTER TABLE {schema}.child ALTER big SET STORAGE EXTERNAL")


@pytest.mark.parametrize("actions", ["", "ON DELETE CASCADE ON UPDATE CASCADE", "ON DELETE SET NULL ON UPDATE CASCADE"])
def test_tables_that_refer_to_each_other(sync: Sync, run_sql: Sql, same: Same, actions: str) -> None:
    _make_family(run_sql, actions)
    sync(STREAMS=_FAMILY)
    run_sql("INSERT INTO parent SELECT n, repeat('p', 3000) FROM generate_series(1, 9) AS n")
    run_sql(
        "INSERT INTO child SELECT n, (n - 1) / 2 + 1, NULLIF(n / 2, 0), repeat('c', 3000) "
        "FROM generate_series(1, 18) AS n"
    )
    sync(STREAMS=_FAMILY)
    same("parent", "child")
    if actions:
        run_sql("UPDATE parent SET id = 100 WHERE id = 9; UPDATE child SET id = 180 WHERE id = 9")
        run_sql("DELETE FROM parent WHERE id = 8; INSERT INTO parent (id) VALUES (8)")
    run_sql("BEGIN; UPDATE child SET parent = 2, elder = NULL WHERE parent = 1; SELECT 1")
    run_sql("DELETE FROM parent WHERE id = 1; INSERT INTO parent (id) VALUES (1); COMMIT")
    run_sql("DELETE FROM child WHERE parent = 3 AND id NOT IN (SELECT elder FROM child WHERE elder IS NOT NULL)")
    sync(STREAMS=_FAMILY)
    same("parent", "child")
    run_sql("TRUNCATE parent, child; INSERT INTO parent (id) VALUES (1); INSERT INTO child VALUES (1, 1, 1)")
    sync(STREAMS=_FAMILY)
    same("parent", "child")


def test_references_that_hold_at_the_commit_only(sync: Sync, run_sql: Sql, same: Same) -> None:
    for schema in ("public", "lake"):
        run_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.hen (id int PRIMARY KEY, egg int)")
        run_sql(f"CREATE TABLE {schema}.egg (id int PRIMARY KEY, hen int REFERENCES {schema}.hen DEFERRABLE)")
        run_sql(f"ALTER TABLE {schema}.hen ADD FOREIGN KEY (egg) REFERENCES {schema}.egg DEFERRABLE")
    fill = (
        "BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO egg SELECT n, n FROM generate_series({0}) AS n; "
        "INSERT INTO hen SELECT n, n FROM generate_series({0}) AS n; COMMIT"
    )
    run_sql(fill.format("1, 9"))
    sync(STREAMS=streams("egg", "hen"))
    same("egg", "hen")
    run_sql(fill.format("10, 19"))
    run_sql("BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM hen WHERE id < 5; DELETE FROM egg WHERE id < 5; COMMIT")
    sync(STREAMS=streams("egg", "hen"))
    same("egg", "hen")


def test_column_that_comes_in_a_transaction_whose_references_are_still_to_be_looked_at(
    sync: Sync, run_sql: Sql, same: Same
) -> None:
    for schema, kind in (("public", ""), ("lake", "DEFERRABLE")):
        run_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.parent (id int PRIMARY KEY)")
        run_sql(f"CREATE TABLE {schema}.child (id int PRIMARY KEY, parent int REFERENCES {schema}.parent {kind})")
    run_sql("INSERT INTO parent VALUES (1), (2); INSERT INTO child VALUES (1, 1)")
    both = streams("parent", "child")
    sync(STREAMS=both)
    run_sql("BEGIN; INSERT INTO child VALUES (2, 1); DELETE FROM parent WHERE id = 2; ALTER TABLE child ADD note text")
    run_sql("ALTER TABLE parent ADD note text; INSERT INTO parent VALUES (3, 'late')")
    run_sql("INSERT INTO child VALUES (3, 3, 'late'); COMMIT")
    sync(STREAMS=both)
    same("parent", "child")


def test_copy_that_refers_to_what_is_still_to_come_is_told_with_the_remedy(
    sync: Sync, run_sql: Sql, same: Same
) -> None:
    for schema in ("public", "lake"):
        run_sql(f"CREATE SCHEMA IF NOT EXISTS {schema}; CREATE TABLE {schema}.parent (id int PRIMARY KEY)")
        run_sql(f"CREATE TABLE {schema}.child (id int PRIMARY KEY, parent int REFERENCES {schema}.parent, note text)")
    sync(STREAMS=streams("parent"))
    run_sql("INSERT INTO parent VALUES (1)")
    run_sql("INSERT INTO child SELECT n, 1, repeat('x', 99) FROM generate_series(1, 999) AS n")
    code, message = told_by(sync, STREAMS=streams("parent", "child"))
    assert (code, "drop the foreign key in the destination" in message) == ("23503", True)
    run_sql("ALTER TABLE lake.child DROP CONSTRAINT child_parent_fkey")
    sync(STREAMS=streams("parent", "child"))
    run_sql("ALTER TABLE lake.child ADD FOREIGN KEY (parent) REFERENCES lake.parent")
    same("parent", "child")


def test_changes_that_the_table_does_not_take_fail_the_run(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("ALTER TABLE lake.items ADD CHECK (amount < 100)")
    run_sql("INSERT INTO orders (id) VALUES (3); INSERT INTO items VALUES ('dear', 100), ('cheap', 1)")
    code, message = told_by(sync)
    assert (code, "items_amount_check" in message) == ("23514", True)
    assert run_sql("SELECT count(*) FROM lake.orders") == [(2,)]
    run_sql("ALTER TABLE lake.items DROP CONSTRAINT items_amount_check")
    assert sync().rows_written == 3


@pytest.mark.parametrize("policy", ["skip", "dlq"])
def test_changes_that_the_table_does_not_take_are_left_out(sync: Sync, run_sql: Sql, policy: str) -> None:
    sync()
    run_sql("ALTER TABLE lake.orders ADD CHECK (total < 100)")
    run_sql("INSERT INTO orders (id, total, big) VALUES (3, 100, repeat('y', 5000)), (4, 1, NULL)")
    run_sql("UPDATE orders SET total = 200 WHERE id = 1; UPDATE orders SET total = 200, note = 'passing' WHERE id = 2")
    run_sql("UPDATE orders SET total = 2 WHERE id = 2")
    orders = sync(ON_DATA_ERROR=policy).streams[0]
    assert (orders.rows_written, orders.rows_rejected) == (3, 2)
    rows = "SELECT id, note, total::int, length(big) FROM lake.orders ORDER BY id"
    assert run_sql(rows) == [(1, "first", 2, 5000), (2, "passing", 2, None), (4, None, 1, None)]
    run_sql("UPDATE orders SET note = 'its large value is nowhere', total = 2 WHERE id = 3")
    run_sql("UPDATE orders SET note = 'taken', total = 3 WHERE id = 1")
    orders = sync(ON_DATA_ERROR=policy).streams[0]
    assert (orders.rows_written, orders.rows_rejected) == (1, 1)
    assert run_sql(rows) == [(1, "taken", 3, 5000), (2, "passing", 2, None), (4, None, 1, None)]
    run_sql("UPDATE orders SET big = 'small' WHERE id = 3")
    assert sync(ON_DATA_ERROR=policy).rows_written == 1
    assert run_sql(rows)[2] == (3, "its large value is nowhere", 2, 5)


def test_user_who_may_not_delete_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    name = f"keeper_{secrets.token_hex(4)}"
    run_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'of-one-test'")
    try:
        run_sql(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA lake, _rapidbyte TO {name}")
        run_sql(f"GRANT USAGE ON SCHEMA lake, _rapidbyte TO {name}")
        code, message = told_by(sync, WRITER=name, WRITER_PASSWORD="of-one-test")
        assert (code, 'GRANT DELETE ON TABLE "lake"."orders"' in message) == ("42501", True)
    finally:
        run_sql(f"DROP OWNED BY {name}; DROP ROLE {name}")
