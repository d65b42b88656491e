"""A table that is renamed, replaced or unpublished behind a pipeline's back: its changes come, or it is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

import rapidbyte
from harness.cli import Cli, Command, finish
from harness.evidence import Evidence
from harness.fix_changes import Sql, Sync
from harness.waiting import wait_until
from rapidbyte.errors import RapidbyteError

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/changes.yaml"

_EVENTS = "SELECT id, _rb_op FROM lake.{} WHERE _rb_op <> 'snapshot' ORDER BY _rb_lsn, _rb_seq"
_PARTS = """
    CREATE TABLE parts (id int PRIMARY KEY, note text) PARTITION BY RANGE (id);
    CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (11);
    CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (11) TO (MAXVALUE);
"""
_REPLACE = """
    BEGIN; ALTER TABLE orders RENAME TO orders_old; CREATE TABLE orders (LIKE orders_old INCLUDING ALL);
    INSERT INTO orders (id) VALUES (20); COMMIT
"""
_MAKE_ANEW = """
    BEGIN; CREATE TABLE new (LIKE orders INCLUDING ALL); DROP TABLE orders; ALTER TABLE new RENAME TO orders;
    INSERT INTO orders (id) VALUES (20); COMMIT
"""


@pytest.fixture
def publish_all(sync: Sync, run_sql: Sql) -> None:
    """Copy the tables under a publication of all tables, which sends changes of whatever has a name."""
    sync()
    ((name,),) = run_sql("SELECT pubname FROM pg_publication")
    run_sql(f"DROP PUBLICATION {name}; DROP TABLE lake.orders, lake.items")
    run_sql(f"CREATE PUBLICATION {name} FOR ALL TABLES WITH (publish_via_partition_root = true)")
    sync()


@pytest.fixture
def tail_cli(changes_variables: Mapping[str, str], tmp_path: Path, evidence: Evidence) -> Cli:
    """The `rapidbyte` command, with the variables of the pipeline of changes, which has no end."""
    return Cli({**changes_variables, "CDC_MODE": "tail"}, tmp_path, evidence)


@contextmanager
def _tail(cli: Cli, run_sql: Sql) -> Iterator[Command]:
    """Run without an end, and come to the block once a change has."""
    with cli.start("run", PIPELINE, "-q") as process:
        try:
            run_sql("INSERT INTO orders (id) VALUES (10)")
            come = "SELECT count(*) FROM lake.orders WHERE id = 10"
            is_there = "SELECT to_regclass('lake.orders') IS NOT NULL"
            wait_until(lambda: run_sql(is_there) == [(True,)] and run_sql(come) == [(1,)], "the change has come")
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("table", ["orders", "parts"])
def test_changes_that_a_table_had_under_another_name_are_moved(sync: Sync, run_sql: Sql, table: str) -> None:
    run_sql(_PARTS)
    sync(SECOND="parts")
    run_sql(f"INSERT INTO {table} (id) VALUES (10)")
    run_sql(f"ALTER TABLE {table} RENAME TO away; INSERT INTO away (id) VALUES (11); DELETE FROM away WHERE id = 10")
    run_sql("CREATE SCHEMA other; ALTER TABLE away SET SCHEMA other; UPDATE other.away SET note = 'n' WHERE id = 11")
    run_sql(f"ALTER TABLE other.away SET SCHEMA public; ALTER TABLE away RENAME TO {table}")
    assert sync(SECOND="parts").rows_written == 4
    assert run_sql(_EVENTS.format(table)) == [(10, "insert"), (11, "insert"), (10, "delete"), (11, "update")]


@pytest.mark.every_major
@pytest.mark.parametrize("change", [_REPLACE, _MAKE_ANEW], ids=["renamed", "dropped"])
@pytest.mark.usefixtures("publish_all")
def test_table_in_place_of_another_is_told_before_the_first_change(sync: Sync, run_sql: Sql, change: str) -> None:
    run_sql("INSERT INTO orders (id) VALUES (10)")
    run_sql(change)
    with pytest.raises(RapidbyteError) as failed:
        sync()
    assert (failed.value.info.code, failed.value.info.retryable) == ("table_replaced", False)
    assert "Drop its table in the destination, so that this one is copied anew" in str(failed.value)
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,)]
    run_sql("DROP TABLE lake.orders")
    sync()
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(20,)]


def test_table_that_was_renamed_is_told_by_check_and_run(
    sync: Sync, run_sql: Sql, changes_variables: Mapping[str, str]
) -> None:
    sync()
    run_sql("ALTER TABLE orders RENAME TO sales; INSERT INTO sales (id) VALUES (10)")
    with pytest.raises(RapidbyteError) as refused:
        rapidbyte.check_pipeline(Path(PIPELINE), env=changes_variables)
    with pytest.raises(RapidbyteError) as failed:
        sync()
    assert (refused.value.info.code, failed.value.info.code) == ("table_not_found", "table_not_found")
    assert "Table orders does not exist in the source; schema public has items, sales" in str(failed.value)
    run_sql("ALTER TABLE sales RENAME TO orders")
    assert sync().rows_written == 1


@pytest.mark.every_major
@pytest.mark.parametrize("statement", ["", "INSERT INTO sales (id) VALUES (11)"], ids=["and left alone", "and changed"])
def test_table_that_is_renamed_under_a_tail_ends_it_and_nothing_is_lost(
    tail_cli: Cli, sync: Sync, run_sql: Sql, statement: str
) -> None:
    with _tail(tail_cli, run_sql) as process:
        run_sql(f"BEGIN; ALTER TABLE orders RENAME TO sales; {statement}; COMMIT")
        ended = finish(process)
    assert ended.code == 4, ended.stderr
    assert "The table whose changes are read as public.orders is called public.sales now" in ended.stderr
    run_sql("ALTER TABLE sales RENAME TO orders")
    sync()
    came = "SELECT id FROM lake.orders ORDER BY id"
    assert run_sql(came) == run_sql("SELECT id FROM orders ORDER BY id")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_REPLACE, "The table whose changes are read as public.orders is called public.orders_old now"),
        (_MAKE_ANEW, "Table public.orders, whose changes are read, was dropped"),
        ("DROP TABLE orders", "Table public.orders, whose changes are read, was dropped"),
    ],
    ids=["renamed", "dropped", "dropped alone"],
)
@pytest.mark.parametrize("publication", ["of all tables", "of its own"])
def test_table_that_is_replaced_under_a_tail_ends_it_before_its_first_change(
    request: pytest.FixtureRequest, tail_cli: Cli, run_sql: Sql, publication: str, change: str, told: str
) -> None:
    if publication == "of all tables":
        request.getfixturevalue("publish_all")
    with _tail(tail_cli, run_sql) as process:
        run_sql(change)
        ended = finish(process)
    assert (ended.code, told in ended.stderr) == (4, True), ended.stderr
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,), (10,)]


def test_table_that_is_taken_out_of_the_publication_ends_a_tail(tail_cli: Cli, run_sql: Sql) -> None:
    with _tail(tail_cli, run_sql) as process:
        ((name,),) = run_sql("SELECT pubname FROM pg_publication")
        run_sql(f"ALTER PUBLICATION {name} DROP TABLE items")
        ended = finish(process)
    assert ended.code == 4, ended.stderr
    assert "Table public.items was taken out of the publication" in ended.stderr
