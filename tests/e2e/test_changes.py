"""sync_mode cdc: changes as events, from one slot, of several tables."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping

import pytest

from harness.fix_changes import KillSync, Sql, Sync, told_by
from harness.kill_points import OF_COPIES, WITH_CHANGES
from rapidbyte.errors import RapidbyteError

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/changes.yaml"

_SLOT = "SELECT slot_name, confirmed_flush_lsn, active FROM pg_replication_slots WHERE database = current_database()"
_ORDER_EVENTS = """
    SELECT _rb_op, id, note, _rb_old_key, _rb_unchanged FROM lake.orders WHERE _rb_op <> 'snapshot'
    ORDER BY _rb_lsn, _rb_seq
"""
_ITEM_EVENTS = """
    SELECT _rb_op, sku, amount, _rb_old_key FROM lake.items WHERE _rb_op <> 'snapshot' ORDER BY _rb_lsn, _rb_seq
"""
# All changes of both tables in one order, which is that of the commits.
_ALL = """
    SELECT _rb_op, id::text FROM
    (SELECT _rb_op, id::text, _rb_lsn, _rb_seq FROM lake.orders UNION ALL
     SELECT _rb_op, sku, _rb_lsn, _rb_seq FROM lake.items) AS e WHERE _rb_op <> 'snapshot' ORDER BY _rb_lsn, _rb_seq
"""


@pytest.fixture
def role(run_sql: Sql) -> Iterator[Mapping[str, str]]:
    """A user without any right, as the variables of the pipeline."""
    name = f"role_{secrets.token_hex(4)}"
    run_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'of-one-test'")
    yield {"PGUSER": name, "PGPASSWORD": "of-one-test"}
    run_sql(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_first_run_copies_the_tables_as_they_are(sync: Sync, run_sql: Sql) -> None:
    report = sync()
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [("orders", 2), ("items", 2)]
    copied = "SELECT id, note, total, at::text, tags, body, big FROM {}.orders ORDER BY id"
    assert run_sql(copied.format("lake")) == run_sql(copied.format("public"))
    assert run_sql("SELECT sku, amount, _rb_op FROM lake.items ORDER BY sku") == [
        ("bolt", 3, "snapshot"),
        ("nut", 4, "snapshot"),
    ]
    told = "_rb_seq, _rb_xid, _rb_committed_at, _rb_old_key, _rb_unchanged"
    assert run_sql(f"SELECT DISTINCT {told}, _rb_lsn IS NULL FROM lake.orders") == [(*[None] * 5, False)]


@pytest.mark.every_major
def test_changes_become_events_in_the_order_of_their_commits(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO orders VALUES (3, 'third', 3, now()), (4, 'fourth', 4, now())")
    run_sql("UPDATE orders SET note = 'changed' WHERE id = 1")
    run_sql("UPDATE orders SET id = 5 WHERE id = 4")
    run_sql("DELETE FROM orders WHERE id = 2")
    report = sync()
    assert report.rows_written == 5
    assert run_sql(_ORDER_EVENTS) == [
        ("insert", 3, "third", None, None),
        ("insert", 4, "fourth", None, None),
        ("update", 1, "changed", None, ["big"]),
        ("update", 5, "fourth", {"id": "4"}, None),
        ("delete", 2, None, None, None),
    ]
    assert sync().rows_written == 0


def test_event_tells_its_transaction(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("BEGIN; SELECT 1")
    (xid,), *_ = run_sql("SELECT pg_current_xact_id()::text::bigint")
    run_sql("INSERT INTO items VALUES ('screw', 1), ('pin', 2)")
    run_sql("COMMIT")
    sync()
    found = run_sql(
        "SELECT _rb_xid, _rb_seq, _rb_committed_at BETWEEN now() - interval '10 min' AND clock_timestamp(), "
        "_rb_lsn <= pg_current_wal_lsn() FROM lake.items WHERE _rb_op = 'insert' ORDER BY _rb_seq"
    )
    assert found == [(xid, 1, True, True), (xid, 2, True, True)]


def test_table_with_a_full_identity_tells_the_rows_before(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("UPDATE items SET amount = 5 WHERE sku = 'nut'")
    run_sql("DELETE FROM items WHERE sku = 'bolt'")
    sync()
    assert run_sql(_ITEM_EVENTS) == [
        ("update", "nut", 5, {"sku": "nut", "amount": "4"}),
        ("delete", "bolt", 3, None),
    ]


def test_commit_order_is_kept_over_tables_and_what_is_rolled_back_leaves_nothing(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO items VALUES ('a', 1)")
    run_sql("INSERT INTO orders (id) VALUES (10)")
    run_sql("BEGIN")
    run_sql("INSERT INTO orders (id) VALUES (11)")
    run_sql("ROLLBACK")
    run_sql("BEGIN")
    run_sql("INSERT INTO orders (id) VALUES (12)")
    run_sql("INSERT INTO items VALUES ('b', 2)")
    run_sql("INSERT INTO orders (id) VALUES (13)")
    run_sql("COMMIT")
    run_sql("TRUNCATE items")
    sync()
    assert run_sql(_ALL) == [
        ("insert", "a"),
        ("insert", "10"),
        ("insert", "12"),
        ("insert", "b"),
        ("insert", "13"),
        ("truncate", None),
    ]


@pytest.mark.parametrize("checkpoint_rows", ["0", "700"])
def test_large_transaction_comes_whole(sync: Sync, run_sql: Sql, checkpoint_rows: str) -> None:
    sync()
    run_sql("INSERT INTO items SELECT 'many ' || n, n FROM generate_series(1, 20000) AS n")
    run_sql("INSERT INTO orders (id) VALUES (10)")
    assert sync(CHECKPOINT_ROWS=checkpoint_rows).rows_written == 20_001
    assert run_sql("SELECT count(*), count(DISTINCT sku), sum(amount) FROM lake.items WHERE _rb_op = 'insert'") == [
        (20_000, 20_000, 200_010_000)
    ]
    assert sync().rows_written == 0


def test_large_transaction_takes_no_more_locks_than_a_small_one(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("""
        CREATE TABLE made (name text);
        CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO public.made SELECT object_identity FROM pg_event_trigger_ddl_commands(); END';
        CREATE EVENT TRIGGER notes ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION note()
    """)
    run_sql("INSERT INTO items SELECT 'many ' || n, n FROM generate_series(1, 20000) AS n")
    assert sync().rows_written == 20_000
    # What is made and dropped in a transaction is locked up to its end: one stage for each stream.
    assert run_sql("SELECT name FROM made ORDER BY name") == [
        ("pg_temp.rapidbyte_stage_0",),
        ("pg_temp.rapidbyte_stage_1",),
    ]


_WIDE = "INSERT INTO orders (id, big) SELECT {}, string_agg(md5(n::text), '') FROM generate_series(1, {} / 32) AS n"


@pytest.mark.parametrize("step", ["copied", "changed"])
def test_row_that_is_just_within_the_limit_of_a_batch_is_moved(sync: Sync, run_sql: Sql, step: str) -> None:
    if step == "changed":
        sync()
    # A batch is to have half of 64 KiB: one that nearly has that, and a row of nearly all of it.
    run_sql(f"BEGIN; {_WIDE.format(3, 32_000)}; {_WIDE.format(4, 60_000)}; {_WIDE.format(5, 32_000)}; COMMIT")
    sync()
    values = "SELECT id, md5(big) FROM {}.orders WHERE id > 2 ORDER BY id"
    assert run_sql(values.format("lake")) == run_sql(values.format("public"))


def test_row_that_is_larger_than_a_batch_may_be_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO items VALUES ('before', 1)")
    run_sql(_WIDE.format(3, 70_000))
    code, message = told_by(sync)
    assert (code, "A row of public.orders is larger than a batch may be." in message) == ("batch_too_large", True)
    assert "Raise resources.max_batch_bytes" in message
    run_sql("DELETE FROM orders WHERE id = 3")
    assert told_by(sync)[0] == "batch_too_large"  # its change is still to be moved


def test_values_of_changes_are_those_of_a_copy(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("CREATE TABLE old AS TABLE orders; TRUNCATE orders; INSERT INTO orders TABLE old")
    sync()
    values = "SELECT id, note, total, at::text, tags, body, big FROM {} WHERE _rb_op = '{}' ORDER BY id"
    assert run_sql(values.format("lake.orders", "insert")) == run_sql(values.format("lake.orders", "snapshot"))


def test_idle_run_moves_the_slot_though_others_write(sync: Sync, run_sql: Sql) -> None:
    sync()
    # Else the log is flushed some time after the commit, and its end then was long before what was written.
    run_sql("SET synchronous_commit = on; CREATE TABLE other AS SELECT n FROM generate_series(1, 10000) AS n")
    ((end,),) = run_sql("SELECT pg_current_wal_flush_lsn()")
    assert sync().rows_written == 0
    assert run_sql(
        "SELECT confirmed_flush_lsn >= %s FROM pg_replication_slots WHERE database = current_database()", end
    ) == [(True,)]


def test_table_that_is_new_to_the_pipeline_is_copied_alone(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("CREATE TABLE extra (id int PRIMARY KEY); INSERT INTO extra VALUES (1), (2)")
    run_sql("INSERT INTO orders (id) VALUES (10)")
    report = sync(SECOND="extra")
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [("orders", 1), ("extra", 2)]
    run_sql("INSERT INTO extra VALUES (3)")
    sync(SECOND="extra")
    assert run_sql("SELECT id, _rb_op FROM lake.extra ORDER BY id") == [(1, "snapshot"), (2, "snapshot"), (3, "insert")]


def test_stream_that_was_left_out_for_a_while_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("CREATE TABLE extra (id int PRIMARY KEY)")
    sync(SECOND="extra")
    with pytest.raises(RapidbyteError) as failed:
        sync()
    assert failed.value.info.code == "stream_left_out"
    assert "drop its table in the destination" in str(failed.value)
    run_sql("DROP TABLE lake.items")
    assert sync().streams[1].rows_written == 2


def test_partitioned_table_is_read_through_its_root(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id)")
    run_sql("CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (10)")
    run_sql("CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (10) TO (20)")
    run_sql("INSERT INTO parts VALUES (1), (11)")
    sync(SECOND="parts")
    run_sql("UPDATE parts SET id = 12 WHERE id = 1")
    sync(SECOND="parts")
    assert run_sql("SELECT id, _rb_op FROM lake.parts ORDER BY _rb_lsn, _rb_seq NULLS FIRST, id") == [
        (1, "snapshot"),
        (11, "snapshot"),
        (1, "delete"),
        (12, "insert"),
    ]


def test_columns_that_come_and_go_between_changes(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO items VALUES ('before', 1)")
    run_sql("ALTER TABLE items ADD colour text")
    run_sql("INSERT INTO items VALUES ('with', 2, 'red')")
    run_sql("ALTER TABLE items DROP amount")
    run_sql("INSERT INTO items VALUES ('without', 'blue')")
    sync()
    assert run_sql("SELECT sku, amount, colour FROM lake.items WHERE _rb_op = 'insert' ORDER BY _rb_lsn") == [
        ("before", 1, None),
        ("with", 2, "red"),
        ("without", None, "blue"),
    ]


@pytest.mark.parametrize("point", [*OF_COPIES, *WITH_CHANGES])
def test_first_run_that_is_killed_leaves_no_gap_and_nothing_twice(
    sync: Sync, kill_sync: KillSync, run_sql: Sql, point: str
) -> None:
    kill_sync(point)
    run_sql("INSERT INTO orders (id) VALUES (10)")
    run_sql("DELETE FROM items WHERE sku = 'nut'")
    sync()
    run_sql("INSERT INTO orders (id) VALUES (11)")
    sync()
    # Whether a row was copied or inserted depends on when the snapshot was taken; it came once, either way.
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,), (10,), (11,)]
    came, went = (
        run_sql("SELECT sku FROM lake.items WHERE (_rb_op = 'delete') = %s ORDER BY sku", is_) for is_ in (False, True)
    )
    assert (came, went) in (([("bolt",)], []), ([("bolt",), ("nut",)], [("nut",)]))


@pytest.mark.parametrize("point", WITH_CHANGES)
def test_later_run_that_is_killed_leaves_no_gap_and_nothing_twice(
    sync: Sync, kill_sync: KillSync, run_sql: Sql, point: str
) -> None:
    sync()
    run_sql("INSERT INTO orders (id) VALUES (10)")
    run_sql("UPDATE items SET amount = 9 WHERE sku = 'nut'")
    kill_sync(point)
    run_sql("DELETE FROM orders WHERE id = 10")
    sync()
    assert run_sql(_ALL) == [("insert", "10"), ("update", "nut"), ("delete", "10")]


def test_slot_that_was_dropped_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    ((slot, *_),) = run_sql(_SLOT)
    run_sql("SELECT pg_drop_replication_slot(%s)", slot)
    code, message = told_by(sync)
    assert (code, slot in message) == ("slot_missing", True)
    run_sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", slot)
    code, message = told_by(sync)
    assert (code, "is lost" in message) == ("slot_advanced", True)
    run_sql("DROP TABLE lake.orders, lake.items")
    assert sync().rows_written == 4


def test_slot_that_somebody_else_read_from_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO orders (id) VALUES (10)")
    run_sql(f"SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM ({_SLOT}) AS s")
    assert told_by(sync)[0] == "slot_advanced"


def test_table_without_an_identity_is_refused_before_its_updates_are(sync: Sync, run_sql: Sql) -> None:
    run_sql("ALTER TABLE items REPLICA IDENTITY DEFAULT")
    code, message = told_by(sync)
    assert (code, "ALTER TABLE public.items REPLICA IDENTITY FULL" in message) == ("no_replica_identity", True)
    run_sql("UPDATE items SET amount = 1")
    run_sql("CREATE UNIQUE INDEX by_sku ON items (sku)")
    run_sql("ALTER TABLE items ALTER sku SET NOT NULL, REPLICA IDENTITY USING INDEX by_sku")
    sync()
    run_sql("UPDATE items SET sku = 'nail' WHERE sku = 'nut'")
    sync()
    assert run_sql(_ITEM_EVENTS) == [("update", "nail", 1, {"sku": "nut"})]


def test_what_has_no_changes_is_refused(sync: Sync, run_sql: Sql) -> None:
    run_sql("CREATE VIEW seen AS TABLE orders")
    assert told_by(sync, SECOND="seen")[0] == "not_publishable"


def test_publication_that_was_made_anew_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("INSERT INTO orders (id) VALUES (10)")
    ((name,),) = run_sql("SELECT pubname FROM pg_publication")
    run_sql(f"DROP PUBLICATION {name}")
    assert told_by(sync)[0] == "publication_recreated"


def test_user_without_replication_is_told(sync: Sync, role: Mapping[str, str]) -> None:
    code, message = told_by(sync, **role)
    assert (code, f"ALTER ROLE {role['PGUSER']} REPLICATION" in message) == ("no_replication", True)


def test_user_who_does_not_own_the_tables_is_told_what_to_run(
    sync: Sync, run_sql: Sql, role: Mapping[str, str]
) -> None:
    name, ((database,),) = role["PGUSER"], run_sql("SELECT current_database()")
    run_sql(f"ALTER ROLE {name} REPLICATION; GRANT CREATE ON DATABASE {database} TO {name}")
    run_sql(f"GRANT SELECT ON orders, items TO {name}")
    code, message = told_by(sync, **role)
    assert code == "publication_missing"
    run_sql(message.partition("have its owner run ")[2].rstrip("."))
    assert sync(**role).rows_written == 4


def test_column_that_changes_do_not_have_is_refused(sync: Sync, run_sql: Sql) -> None:
    run_sql("ALTER TABLE items ADD twice int GENERATED ALWAYS AS (amount * 2) STORED")
    assert told_by(sync)[0] == "generated_column"
