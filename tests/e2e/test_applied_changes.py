"""sync_mode cdc with upsert: changes are applied, and a table becomes equal to the one that they come from."""

from __future__ import annotations

import pytest

from harness.fix_changes import Same, Sql, Sync, streams, told_by

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/applied_changes.yaml"
STREAMS = streams("orders", "items", items=["sku"])


def test_table_is_made_with_its_key_and_holds_what_was_there(sync: Sync, run_sql: Sql, same: Same) -> None:
    report = sync()
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [("orders", 2), ("items", 2)]
    same()
    keys = "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p'"
    assert run_sql(f"{keys} AND connamespace = 'lake'::regnamespace ORDER BY 1") == [
        ("lake.items", "PRIMARY KEY (sku)"),
        ("lake.orders", "PRIMARY KEY (id)"),
    ]


@pytest.mark.every_major
def test_inserts_updates_and_deletes_are_applied(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("INSERT INTO orders VALUES (3, 'third', 3, now(), '{x}', '[1]', repeat('y', 9000))")
    run_sql("INSERT INTO orders VALUES (4, 'fourth')")
    run_sql("UPDATE orders SET note = 'changed', total = total + 1 WHERE id = 1")
    run_sql("DELETE FROM orders WHERE id = 2")
    run_sql("UPDATE items SET amount = 5 WHERE sku = 'nut'; DELETE FROM items WHERE sku = 'bolt'")
    assert sync().rows_written == 6
    same()
    assert run_sql("SELECT id, note, length(big) FROM lake.orders ORDER BY id") == [
        (1, "changed", 5000),
        (3, "third", 9000),
        (4, "fourth", None),
    ]
    assert sync().rows_written == 0
    same()


def test_several_changes_of_one_row_end_as_the_last(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("INSERT INTO orders (id, note, big) VALUES (3, 'a', repeat('y', 6000))")
    run_sql("UPDATE orders SET note = 'b' WHERE id = 3; UPDATE orders SET note = 'c' WHERE id = 3")
    run_sql("INSERT INTO orders (id) VALUES (4); DELETE FROM orders WHERE id = 4")
    run_sql("DELETE FROM orders WHERE id = 1; INSERT INTO orders (id, note) VALUES (1, 'again')")
    run_sql("UPDATE orders SET note = note || '!' WHERE id IN (1, 3)")
    sync()
    same()
    assert run_sql("SELECT id, note, length(big) FROM lake.orders ORDER BY id") == [
        (1, "again!", None),
        (2, None, None),
        (3, "c!", 6000),
    ]


def test_value_that_is_not_told_stays_as_it_is_in_the_table(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("UPDATE orders SET note = 'once' WHERE id = 1")
    sync()
    same()
    run_sql("UPDATE orders SET big = repeat('z', 7000) WHERE id = 1; UPDATE orders SET note = 'twice' WHERE id = 1")
    run_sql("UPDATE orders SET big = NULL WHERE id = 1; UPDATE orders SET note = 'thrice' WHERE id = 1")
    sync()
    same()


def test_truncation_takes_all_rows_before_it(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("INSERT INTO orders (id) VALUES (3); TRUNCATE orders, items; INSERT INTO orders (id) VALUES (2), (5)")
    sync()
    same()
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(2,), (5,)]


def test_what_is_rolled_back_leaves_nothing(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("BEGIN; INSERT INTO orders (id) VALUES (10); SAVEPOINT a; DELETE FROM orders; ROLLBACK TO a; SELECT 1")
    run_sql("UPDATE orders SET note = 'kept' WHERE id = 1; COMMIT")
    run_sql("BEGIN; DELETE FROM items; ROLLBACK")
    sync()
    same()


@pytest.mark.parametrize("checkpoint_rows", ["0", "700"])
def test_large_transaction_is_applied_whole(sync: Sync, run_sql: Sql, same: Same, checkpoint_rows: str) -> None:
    sync()
    run_sql("BEGIN; INSERT INTO items SELECT 'many ' || n, n FROM generate_series(1, 20000) AS n; SELECT 1")
    run_sql("UPDATE items SET amount = amount + 1 WHERE amount % 3 = 0; DELETE FROM items WHERE amount % 5 = 0; COMMIT")
    sync(CHECKPOINT_ROWS=checkpoint_rows)
    same()


def test_deleted_rows_are_flagged_and_come_back(sync: Sync, run_sql: Sql) -> None:
    sync(DELETES="flag")
    rows = "SELECT id, note, length(big), _rb_deleted FROM lake.orders ORDER BY id"
    assert run_sql(rows) == [(1, "first", 5000, False), (2, None, None, False)]
    run_sql("DELETE FROM orders WHERE id = 1; UPDATE orders SET id = 3 WHERE id = 2")
    sync(DELETES="flag")
    assert run_sql(rows) == [(1, "first", 5000, True), (2, None, None, True), (3, None, None, False)]
    run_sql("INSERT INTO orders (id, note) VALUES (1, 'back'), (2, 'too')")
    sync(DELETES="flag")
    assert run_sql(rows) == [(1, "back", None, False), (2, "too", None, False), (3, None, None, False)]
    run_sql("TRUNCATE orders; INSERT INTO orders (id) VALUES (2)")
    sync(DELETES="flag")
    assert run_sql(rows) == [(1, "back", None, True), (2, None, None, False), (3, None, None, True)]


def test_table_that_is_there_gets_the_flag(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.orders (LIKE orders INCLUDING ALL)")
    run_sql("INSERT INTO lake.orders (id, note) VALUES (1, 'stale'), (9, 'of its own')")
    sync(DELETES="flag", STREAMS=streams("orders"))
    assert run_sql("SELECT id, note, _rb_deleted FROM lake.orders ORDER BY id") == [
        (1, "first", False),
        (2, None, False),
        (9, "of its own", False),
    ]


def test_column_that_tells_what_was_deleted_is_not_moved(sync: Sync, run_sql: Sql) -> None:
    run_sql("ALTER TABLE orders ADD _rb_deleted bool")
    assert told_by(sync, DELETES="flag")[0] == "column_reserved"
    sync()


def test_partitioned_table_is_applied_through_its_root(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE parts (id int PRIMARY KEY, big text) PARTITION BY RANGE (id)")
    run_sql("ALTER TABLE parts ALTER big SET STORAGE EXTERNAL")
    run_sql("CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    run_sql("CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (10) TO (20)")
    run_sql("INSERT INTO parts SELECT n, repeat(chr(64 + n), 4000) FROM generate_series(1, 19) AS n")
    sync(STREAMS=streams("parts"))
    run_sql("UPDATE parts SET id = 0 WHERE id = 11; UPDATE parts SET big = 'small' WHERE id = 2")
    run_sql("UPDATE parts SET id = 11 WHERE id = 12; DELETE FROM parts WHERE id = 19")
    sync(STREAMS=streams("parts"))
    same("parts")
    run_sql("TRUNCATE parts; INSERT INTO parts VALUES (3, 'after')")
    sync(STREAMS=streams("parts"))
    same("parts")


def test_names_of_any_kind(sync: Sync, run_sql: Sql, same: Same) -> None:
    table, key, column = "T" * 62 + '"', "Sélect" + "k" * 56, "from \"x\" 'y'"
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in (table, key, column)}
    run_sql(f"CREATE TABLE {quoted[table]} ({quoted[key]} text PRIMARY KEY, {quoted[column]} text)")
    run_sql(f"ALTER TABLE {quoted[table]} ALTER {quoted[column]} SET STORAGE EXTERNAL")
    run_sql(f"INSERT INTO {quoted[table]} VALUES ('a', repeat('x', 5000)), ('b', NULL)")
    sync(STREAMS=streams(table))
    run_sql(f"UPDATE {quoted[table]} SET {quoted[key]} = 'c' WHERE {quoted[key]} = 'a'")
    run_sql(f"DELETE FROM {quoted[table]} WHERE {quoted[key]} = 'b'")
    sync(STREAMS=streams(table))
    same(table)


def test_generated_and_identity_columns_of_the_table(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")
    run_sql("INSERT INTO made (name) VALUES ('a'), ('b'); CREATE SCHEMA lake")
    run_sql(
        "CREATE TABLE lake.made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, "
        "loud text GENERATED ALWAYS AS (upper(name)) STORED, seen int NOT NULL DEFAULT 7)"
    )
    sync(STREAMS=streams("made"))
    run_sql("UPDATE made SET name = 'c' WHERE id = 1; UPDATE made SET id = DEFAULT WHERE id = 2")
    sync(STREAMS=streams("made"))
    assert run_sql("SELECT * FROM lake.made ORDER BY id") == [(1, "c", "C", 7), (3, "b", "B", 7)]


def test_value_of_another_type_is_cast_or_refused(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.items (sku text PRIMARY KEY, amount bigint)")
    sync(STREAMS=streams("items", items=["sku"]), TYPE_CHANGE="coerce")
    run_sql("UPDATE items SET amount = 2147483647 WHERE sku = 'nut'; UPDATE items SET sku = 'nail' WHERE sku = 'bolt'")
    sync(STREAMS=streams("items", items=["sku"]), TYPE_CHANGE="coerce")
    assert run_sql("SELECT * FROM lake.items ORDER BY sku") == [("nail", 3), ("nut", 2147483647)]


def test_value_whose_row_the_destination_lost_is_told(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("DELETE FROM lake.orders WHERE id = 1; UPDATE orders SET note = 'new' WHERE id = 1")
    code, message = told_by(sync)
    assert (code, "REPLICA IDENTITY FULL" in message) == ("row_missing", True)
    run_sql("DROP TABLE lake.orders")
    sync()
    same()
