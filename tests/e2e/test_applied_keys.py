"""Applied changes go by a key: one that changes or is swapped, any that the source tells, and none that it does not."""

from __future__ import annotations

import pytest

from harness.fix_changes import Same, Sql, Sync, streams, told_by

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/applied_changes.yaml"
STREAMS = streams("orders", "items", items=["sku"])


def test_key_that_changes_takes_its_row_along(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("UPDATE orders SET id = 7 WHERE id = 1")
    sync()
    same()
    run_sql("UPDATE orders SET id = 8, note = 'moved' WHERE id = 7; UPDATE orders SET id = 9 WHERE id = 8")
    run_sql("INSERT INTO orders (id, note) VALUES (7, 'new'); UPDATE items SET sku = 'nail' WHERE sku = 'nut'")
    sync()
    same()


@pytest.mark.parametrize("deletes", ["hard", "flag"])
def test_keys_that_are_swapped_in_one_transaction(sync: Sync, run_sql: Sql, deletes: str) -> None:
    run_sql("UPDATE orders SET big = repeat('w', 6000) WHERE id = 2")
    sync(DELETES=deletes)
    run_sql("BEGIN; UPDATE orders SET id = 0 WHERE id = 1; UPDATE orders SET id = 1 WHERE id = 2; SELECT 1")
    run_sql("UPDATE orders SET id = 2 WHERE id = 0; COMMIT")
    sync(DELETES=deletes)
    rows = "SELECT id, note, left(big, 1), length(big) FROM {} ORDER BY id"
    assert run_sql(rows.format("lake.orders")) == [(1, None, "w", 6000), (2, "first", "x", 5000)]


def test_all_keys_move_up_by_one(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("INSERT INTO orders (id, note, big) SELECT n, n, repeat('v', 3000) FROM generate_series(3, 400) AS n")
    sync()
    run_sql("DO $$ BEGIN FOR n IN REVERSE 400..1 LOOP UPDATE orders SET id = id + 1 WHERE id = n; END LOOP; END $$")
    assert sync().rows_written == 400
    same()


def test_identity_by_an_index_is_the_key(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE coded (id int PRIMARY KEY, part int NOT NULL, code text NOT NULL, big text)")
    run_sql("ALTER TABLE coded ALTER big SET STORAGE EXTERNAL; CREATE UNIQUE INDEX by_code ON coded (code, part)")
    run_sql("ALTER TABLE coded REPLICA IDENTITY USING INDEX by_code")
    run_sql(
        "INSERT INTO coded VALUES (1, 1, 'a', repeat('x', 5000)), (2, 1, 'b', repeat('y', 5000)), (3, 1, 'c', NULL)"
    )
    sync(STREAMS=streams("coded"))
    same("coded")
    run_sql("UPDATE coded SET id = 5 WHERE id = 1; UPDATE coded SET code = 'B', part = 2 WHERE id = 2")
    run_sql("DELETE FROM coded WHERE id = 3")
    sync(STREAMS=streams("coded"))
    same("coded")
    assert run_sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'lake.coded'::regclass AND contype = 'p'"
    ) == [("PRIMARY KEY (code, part)",)]
    code, message = told_by(sync, STREAMS=streams("coded", coded=["id"]))
    assert (code, "REPLICA IDENTITY FULL" in message) == ("key_not_told", True)


def test_key_that_is_stored_out_of_line(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE long (key text PRIMARY KEY, note text); ALTER TABLE long ALTER key SET STORAGE EXTERNAL")
    run_sql("INSERT INTO long VALUES (repeat('a', 2500), 'a'), (repeat('b', 2500), 'b')")
    sync(STREAMS=streams("long"))
    run_sql("UPDATE long SET note = note || '!'; UPDATE long SET key = repeat('c', 2500) WHERE note = 'b!'")
    assert sync(STREAMS=streams("long")).rows_written == 3
    same("long")


def test_key_of_all_columns(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE pairs (a numeric, b text, PRIMARY KEY (a, b)); INSERT INTO pairs VALUES (1.0, 'x'), (2, 'y')")
    sync(STREAMS=streams("pairs"))
    run_sql(
        "UPDATE pairs SET a = 1.00 WHERE b = 'x'; DELETE FROM pairs WHERE b = 'y'; INSERT INTO pairs VALUES (3, 'z')"
    )
    sync(STREAMS=streams("pairs"))
    same("pairs")


def test_table_without_a_key_is_refused(sync: Sync, run_sql: Sql) -> None:
    code, message = told_by(sync, STREAMS=streams("items"))
    assert (code, "`primary_key`" in message) == ("no_primary_key", True)
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.orders (LIKE orders)")
    assert told_by(sync)[0] == "no_unique_constraint"
    run_sql("CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING")
    assert told_by(sync, STREAMS=streams("silent"))[0] == "no_replica_identity"


def test_key_with_null_is_refused(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO items VALUES (NULL, 1)")
    assert told_by(sync)[0] == "null_key"
