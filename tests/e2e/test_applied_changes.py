"""sync_mode cdc with upsert: changes are applied, and a table becomes equal to the one that they come from."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping

import psycopg
import pytest

from harness.fix_changes import Sql
from harness.fix_kills import KillRun
from harness.fix_pipelines import RunPipeline
from harness.kill_points import OF_APPLIED_CHANGES, OF_CHANGES, OF_COPIES
from harness.oracle import TableName, assert_same_table
from rapidbyte.errors import RapidbyteError
from rapidbyte.model import RunReport

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/applied_changes.yaml"

Sync = Callable[..., RunReport]
Same = Callable[..., None]


def _streams(*names: str, **keys: list[str]) -> str:
    """Streams of changes as one line; `keys` has the key of those that name one."""
    key = {name: {"primary_key": keys[name]} for name in keys}
    return json.dumps([{"name": name, "sync_mode": "cdc", **key.get(name, {})} for name in names])


_BOTH = _streams("orders", "items", items=["sku"])


@pytest.fixture
def filled(changes_variables: Mapping[str, str]) -> Mapping[str, str]:
    """The variables of the pipeline, for both tables."""
    return {"STREAMS": _BOTH, **changes_variables}


@pytest.fixture
def sync(run_pipeline: RunPipeline, filled: Mapping[str, str]) -> Sync:
    """Run the pipeline to its end."""
    return lambda **more: run_pipeline(_PIPELINE, **{**filled, **more})


@pytest.fixture
def kill_sync(kill_run: KillRun, filled: Mapping[str, str]) -> Callable[[str], None]:
    """Run the pipeline until it is killed at a point."""
    return lambda point: kill_run(_PIPELINE, point, **filled)


@pytest.fixture
def same(changes_session: psycopg.Connection) -> Same:
    """Compare tables with what was made of them."""

    def compare(*names: str) -> None:
        for name in names or ("orders", "items"):
            assert_same_table(changes_session, TableName("public", name), TableName("lake", name))

    return compare


def _code(sync: Sync, **variables: str) -> tuple[str, str]:
    with pytest.raises(RapidbyteError) as failed:
        sync(**variables)
    return failed.value.info.code, str(failed.value)


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
    sync(DELETES="flag", STREAMS=_streams("orders"))
    assert run_sql("SELECT id, note, _rb_deleted FROM lake.orders ORDER BY id") == [
        (1, "first", False),
        (2, None, False),
        (9, "of its own", False),
    ]


def test_identity_by_an_index_is_the_key(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE coded (id int PRIMARY KEY, part int NOT NULL, code text NOT NULL, big text)")
    run_sql("ALTER TABLE coded ALTER big SET STORAGE EXTERNAL; CREATE UNIQUE INDEX by_code ON coded (code, part)")
    run_sql("ALTER TABLE coded REPLICA IDENTITY USING INDEX by_code")
    run_sql(
        "INSERT INTO coded VALUES (1, 1, 'a', repeat('x', 5000)), (2, 1, 'b', repeat('y', 5000)), (3, 1, 'c', NULL)"
    )
    sync(STREAMS=_streams("coded"))
    same("coded")
    run_sql("UPDATE coded SET id = 5 WHERE id = 1; UPDATE coded SET code = 'B', part = 2 WHERE id = 2")
    run_sql("DELETE FROM coded WHERE id = 3")
    sync(STREAMS=_streams("coded"))
    same("coded")
    assert run_sql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'lake.coded'::regclass AND contype = 'p'"
    ) == [("PRIMARY KEY (code, part)",)]
    code, message = _code(sync, STREAMS=_streams("coded", coded=["id"]))
    assert (code, "REPLICA IDENTITY FULL" in message) == ("key_not_told", True)


def test_key_that_is_stored_out_of_line(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE long (key text PRIMARY KEY, note text); ALTER TABLE long ALTER key SET STORAGE EXTERNAL")
    run_sql("INSERT INTO long VALUES (repeat('a', 2500), 'a'), (repeat('b', 2500), 'b')")
    sync(STREAMS=_streams("long"))
    run_sql("UPDATE long SET note = note || '!'; UPDATE long SET key = repeat('c', 2500) WHERE note = 'b!'")
    assert sync(STREAMS=_streams("long")).rows_written == 3
    same("long")


def test_key_of_all_columns(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE pairs (a numeric, b text, PRIMARY KEY (a, b)); INSERT INTO pairs VALUES (1.0, 'x'), (2, 'y')")
    sync(STREAMS=_streams("pairs"))
    run_sql(
        "UPDATE pairs SET a = 1.00 WHERE b = 'x'; DELETE FROM pairs WHERE b = 'y'; INSERT INTO pairs VALUES (3, 'z')"
    )
    sync(STREAMS=_streams("pairs"))
    same("pairs")


def test_partitioned_table_is_applied_through_its_root(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql("CREATE TABLE parts (id int PRIMARY KEY, big text) PARTITION BY RANGE (id)")
    run_sql("ALTER TABLE parts ALTER big SET STORAGE EXTERNAL")
    run_sql("CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    run_sql("CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (10) TO (20)")
    run_sql("INSERT INTO parts SELECT n, repeat(chr(64 + n), 4000) FROM generate_series(1, 19) AS n")
    sync(STREAMS=_streams("parts"))
    run_sql("UPDATE parts SET id = 0 WHERE id = 11; UPDATE parts SET big = 'small' WHERE id = 2")
    run_sql("UPDATE parts SET id = 11 WHERE id = 12; DELETE FROM parts WHERE id = 19")
    sync(STREAMS=_streams("parts"))
    same("parts")
    run_sql("TRUNCATE parts; INSERT INTO parts VALUES (3, 'after')")
    sync(STREAMS=_streams("parts"))
    same("parts")


def test_names_of_any_kind(sync: Sync, run_sql: Sql, same: Same) -> None:
    table, key, column = "T" * 62 + '"', "Sélect" + "k" * 56, "from \"x\" 'y'"
    quoted = {name: '"' + name.replace('"', '""') + '"' for name in (table, key, column)}
    run_sql(f"CREATE TABLE {quoted[table]} ({quoted[key]} text PRIMARY KEY, {quoted[column]} text)")
    run_sql(f"ALTER TABLE {quoted[table]} ALTER {quoted[column]} SET STORAGE EXTERNAL")
    run_sql(f"INSERT INTO {quoted[table]} VALUES ('a', repeat('x', 5000)), ('b', NULL)")
    sync(STREAMS=_streams(table))
    run_sql(f"UPDATE {quoted[table]} SET {quoted[key]} = 'c' WHERE {quoted[key]} = 'a'")
    run_sql(f"DELETE FROM {quoted[table]} WHERE {quoted[key]} = 'b'")
    sync(STREAMS=_streams(table))
    same(table)


def test_generated_and_identity_columns_of_the_table(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE TABLE made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)")
    run_sql("INSERT INTO made (name) VALUES ('a'), ('b'); CREATE SCHEMA lake")
    run_sql(
        "CREATE TABLE lake.made (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, "
        "loud text GENERATED ALWAYS AS (upper(name)) STORED, seen int NOT NULL DEFAULT 7)"
    )
    sync(STREAMS=_streams("made"))
    run_sql("UPDATE made SET name = 'c' WHERE id = 1; UPDATE made SET id = DEFAULT WHERE id = 2")
    sync(STREAMS=_streams("made"))
    assert run_sql("SELECT * FROM lake.made ORDER BY id") == [(1, "c", "C", 7), (3, "b", "B", 7)]


def test_unique_values_that_change_places(sync: Sync, run_sql: Sql, same: Same) -> None:
    run_sql(
        "ALTER TABLE orders ADD UNIQUE (note); CREATE SCHEMA lake; CREATE TABLE lake.orders (LIKE orders INCLUDING ALL)"
    )
    run_sql("INSERT INTO orders (id, note) VALUES (3, 'third')")
    sync(STREAMS=_streams("orders"))
    run_sql("UPDATE orders SET note = NULL WHERE id = 1; UPDATE orders SET note = 'first' WHERE id = 3")
    run_sql("UPDATE orders SET note = 'third' WHERE id = 1; UPDATE orders SET id = 4 WHERE id = 3")
    run_sql("DELETE FROM orders WHERE id = 1; INSERT INTO orders (id, note) VALUES (5, 'third')")
    sync(STREAMS=_streams("orders"))
    same("orders")


def test_value_of_another_type_is_cast_or_refused(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.items (sku text PRIMARY KEY, amount bigint)")
    sync(STREAMS=_streams("items", items=["sku"]), TYPE_CHANGE="coerce")
    run_sql("UPDATE items SET amount = 2147483647 WHERE sku = 'nut'; UPDATE items SET sku = 'nail' WHERE sku = 'bolt'")
    sync(STREAMS=_streams("items", items=["sku"]), TYPE_CHANGE="coerce")
    assert run_sql("SELECT * FROM lake.items ORDER BY sku") == [("nail", 3), ("nut", 2147483647)]


_FAMILY = _streams("child", "parent")


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
    sync(STREAMS=_streams("egg", "hen"))
    same("egg", "hen")
    run_sql(fill.format("10, 19"))
    run_sql("BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM hen WHERE id < 5; DELETE FROM egg WHERE id < 5; COMMIT")
    sync(STREAMS=_streams("egg", "hen"))
    same("egg", "hen")


def test_changes_that_the_table_does_not_take_fail_the_run(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("ALTER TABLE lake.items ADD CHECK (amount < 100)")
    run_sql("INSERT INTO orders (id) VALUES (3); INSERT INTO items VALUES ('dear', 100), ('cheap', 1)")
    code, message = _code(sync)
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


def test_value_whose_row_the_destination_lost_is_told(sync: Sync, run_sql: Sql, same: Same) -> None:
    sync()
    run_sql("DELETE FROM lake.orders WHERE id = 1; UPDATE orders SET note = 'new' WHERE id = 1")
    code, message = _code(sync)
    assert (code, "REPLICA IDENTITY FULL" in message) == ("row_missing", True)
    run_sql("DROP TABLE lake.orders")
    sync()
    same()


def test_table_without_a_key_is_refused(sync: Sync, run_sql: Sql) -> None:
    code, message = _code(sync, STREAMS=_streams("items"))
    assert (code, "`primary_key`" in message) == ("no_primary_key", True)
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.orders (LIKE orders)")
    assert _code(sync)[0] == "no_unique_constraint"
    run_sql("CREATE TABLE silent (id int PRIMARY KEY); ALTER TABLE silent REPLICA IDENTITY NOTHING")
    assert _code(sync, STREAMS=_streams("silent"))[0] == "no_replica_identity"


def test_key_with_null_is_refused(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO items VALUES (NULL, 1)")
    assert _code(sync)[0] == "null_key"


def test_column_that_tells_what_was_deleted_is_not_moved(sync: Sync, run_sql: Sql) -> None:
    run_sql("ALTER TABLE orders ADD _rb_deleted bool")
    assert _code(sync, DELETES="flag")[0] == "column_reserved"
    sync()


def test_user_who_may_not_delete_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    name = f"keeper_{secrets.token_hex(4)}"
    run_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'of-one-test'")
    try:
        run_sql(f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA lake, _rapidbyte TO {name}")
        run_sql(f"GRANT USAGE ON SCHEMA lake, _rapidbyte TO {name}")
        code, message = _code(sync, WRITER=name, WRITER_PASSWORD="of-one-test")
        assert (code, 'GRANT DELETE ON TABLE "lake"."orders"' in message) == ("42501", True)
    finally:
        run_sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


_POINTS = (
    *OF_CHANGES,
    *OF_APPLIED_CHANGES,
    "source.emitted",
    "source.ended",
    "destination.resumed:2",
    "destination.begun",
    "destination.written",
    "destination.before_receipt",
    "destination.before_commit",
    "destination.committed",
    "engine.moved",
    "engine.before_finish",
    "destination.finished",
)


@pytest.mark.parametrize("point", [*OF_COPIES, *_POINTS])
def test_first_run_that_is_killed_ends_as_if_it_was_not(
    sync: Sync, kill_sync: Callable[[str], None], run_sql: Sql, same: Same, point: str
) -> None:
    kill_sync(point)
    run_sql("UPDATE orders SET note = 'new', id = 10 WHERE id = 1; DELETE FROM items WHERE sku = 'nut'")
    sync()
    same()


@pytest.mark.parametrize("point", _POINTS)
def test_later_run_that_is_killed_ends_as_if_it_was_not(
    sync: Sync, kill_sync: Callable[[str], None], run_sql: Sql, same: Same, point: str
) -> None:
    sync()
    run_sql("UPDATE orders SET id = 10 WHERE id = 1; TRUNCATE items; INSERT INTO items VALUES ('pin', 1)")
    kill_sync(point)
    run_sql("UPDATE orders SET id = 1, note = 'back' WHERE id = 10; UPDATE items SET sku = 'screw'")
    sync()
    same()
