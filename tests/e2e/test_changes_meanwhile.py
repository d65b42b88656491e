"""sync_mode cdc while others write: to tables that are copied, to those that are read, and to those that are not."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field

import psycopg
import pytest

from harness.fix_changes import Sql, Sync
from harness.fix_pipelines import RunPipeline
from harness.oracle import TableName, assert_same_table
from harness.proxy import FaultyProxy
from harness.waiting import wait_until
from harness.writers import writing
from rapidbyte.embedded import ServerAddress
from rapidbyte.model import RunReport

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/changes.yaml"
_APPLIED = "fixtures/pipelines/applied_changes.yaml"

# What the server says of itself, as CopyData, and what it is told with the demand for an answer.
_KEEPALIVE = re.compile(rb"d\x00\x00\x00\x16k(.{8}).{9}", re.DOTALL)
_QUESTION = re.compile(rb"d\x00\x00\x00\x26r.{32}\x01", re.DOTALL)
_PLACE = "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE database = current_database()"
_MANY = "INSERT INTO orders (id, big) SELECT n, repeat('x', 3000) FROM generate_series(3, 2000) AS n"
_MEANWHILE = (
    "INSERT INTO orders (id) VALUES (5001)",
    "UPDATE orders SET note = 'late' WHERE id = 1",
    "UPDATE orders SET note = 'late' WHERE id = 2000",
    "DELETE FROM orders WHERE id = 1999",
    "UPDATE orders SET id = 5002 WHERE id = 1998",
)


@pytest.fixture
def apply(run_pipeline: RunPipeline, changes_variables: Mapping[str, str]) -> Sync:
    """Run the pipeline that applies the changes of one table to its end."""
    streams = json.dumps([{"name": "orders", "sync_mode": "cdc"}])
    return lambda: run_pipeline(_APPLIED, **changes_variables, STREAMS=streams)


@contextmanager
def _held(run_sql: Sql, table: str) -> Iterator[Callable[[], bool]]:
    """Have whoever adds rows to a table of the destination wait for the end of the block; whether somebody does.

    No transaction is open for it: the slot of a snapshot would wait for that.
    """
    run_sql("""
        CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END'
    """)
    run_sql(f"CREATE TRIGGER waits BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION wait()")
    waiting = """
        SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    """
    run_sql("SELECT pg_advisory_lock(1)")
    try:
        yield lambda: run_sql(waiting) == [(1,)]
    finally:
        run_sql("SELECT pg_advisory_unlock(1)")


def _run_and_write(run_sql: Sql, sync: Sync) -> RunReport:
    """Run, and write to the table while the run copies it."""
    with ThreadPoolExecutor(1) as pool:
        with _held(run_sql, "lake.orders") as is_waiting:
            run = pool.submit(sync)
            wait_until(is_waiting, "the copy is on its way")
            for statement in _MEANWHILE:
                run_sql(statement)
        return run.result()


def test_what_is_written_while_a_table_is_copied_comes_behind_the_copy_and_nothing_twice(
    sync: Sync, run_sql: Sql
) -> None:
    sync()
    run_sql("DELETE FROM _rapidbyte.receipts; TRUNCATE lake.orders, lake.items")  # as if it had never run
    run_sql(_MANY)
    assert _run_and_write(run_sql, sync).streams[0].rows_written == 2000
    assert sync().rows_written == 5
    copied = "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM lake.orders WHERE _rb_op = 'snapshot'"
    assert run_sql(copied) == [(2000, 2000, 1, 2000)]
    assert run_sql("SELECT id, note FROM lake.orders WHERE _rb_op = 'snapshot' AND note IS NOT NULL") == [(1, "first")]
    events = (
        "SELECT _rb_op, id, note, _rb_old_key FROM lake.orders WHERE _rb_op <> 'snapshot' ORDER BY _rb_lsn, _rb_seq"
    )
    assert run_sql(events) == [
        ("insert", 5001, None, None),
        ("update", 1, "late", None),
        ("update", 2000, "late", None),
        ("delete", 1999, None, None),
        ("update", 5002, None, {"id": "1998"}),
    ]


def test_what_is_written_while_a_table_is_copied_is_applied_to_the_copy(
    apply: Sync, run_sql: Sql, changes_session: psycopg.Connection
) -> None:
    run_sql("CREATE SCHEMA lake; CREATE TABLE lake.orders (LIKE orders INCLUDING ALL)")
    run_sql(_MANY)
    assert _run_and_write(run_sql, apply).rows_written == 2000
    assert apply().rows_written == 5
    assert_same_table(changes_session, TableName("public", "orders"), TableName("lake", "orders"))


@dataclass
class _Replication:
    """What goes over the connection on which changes are read, in its order."""

    pieces: list[tuple[bytes, bool]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def hear(self, data: bytes, is_answer: bool) -> None:
        with self.lock:
            self.pieces.append((data, is_answer))

    def ends(self) -> list[int]:
        """Up to where the server says that all was sent, each time that it does."""
        return [int.from_bytes(end) for data, is_answer in self.pieces if is_answer for end in _KEEPALIVE.findall(data)]

    def asked_after(self, end: int) -> int:
        """How often the server is asked how far it is, after it has first said that it is so far."""
        is_told, count = False, 0
        for data, is_answer in self.pieces:
            if is_answer:
                is_told = is_told or any(int.from_bytes(told) >= end for told in _KEEPALIVE.findall(data))
            elif is_told:
                count += len(_QUESTION.findall(data))
        return count


@pytest.mark.every_major
@pytest.mark.parametrize("others", ["are quiet", "write"])
def test_idle_run_ends_at_the_first_word_that_the_log_is_read_to_its_end(
    sync: Sync, run_sql: Sql, changes_database: ServerAddress, others: str
) -> None:
    sync()
    run_sql(
        "CREATE TABLE other (id int PRIMARY KEY, n int); INSERT INTO other SELECT n, 0 FROM generate_series(0, 9) n"
    )
    writes = "UPDATE other SET n = n + 1 WHERE id = {a}; INSERT INTO other VALUES (10 + {c})"
    replication = _Replication()
    with (
        FaultyProxy(changes_database.host, changes_database.port, replication.hear) as proxy,
        writing(changes_database.dsn(), "others", 2, [writes], 10) if others == "write" else nullcontext(),
    ):
        assert sync(PGHOST="127.0.0.1", PGPORT=str(proxy.port)).rows_written == 0
    ((place,),) = run_sql("SELECT DISTINCT (position->>'lsn')::pg_lsn - '0/0' FROM _rapidbyte.receipts")
    # The run is as far as the server once said; and a question may have been on its way when it did.
    assert (int(place) in replication.ends(), replication.asked_after(int(place)) in (0, 1)) == (True, True)


def test_run_ends_where_the_log_ended_though_its_table_is_written_to(
    sync: Sync, run_sql: Sql, changes_database: ServerAddress
) -> None:
    sync()
    with writing(changes_database.dsn(), "same", 2, ["INSERT INTO orders (id) VALUES (100 + {c})"], 10):
        for _ in range(3):
            sync()
    sync()
    ((written,),) = run_sql("SELECT count(*) FROM orders WHERE id > 100")
    events = "SELECT count(*), count(DISTINCT id) FROM lake.orders WHERE _rb_op = 'insert'"
    assert run_sql(events) == [(written, written)]


def test_places_of_events_receipts_and_slot_agree(sync: Sync, run_sql: Sql) -> None:
    receipts = "SELECT DISTINCT (position->>'lsn')::pg_lsn FROM _rapidbyte.receipts"
    sync()
    ((first,),) = run_sql(_PLACE)
    assert run_sql(receipts) == [(first,)]
    run_sql("SET synchronous_commit = on; INSERT INTO orders (id) VALUES (10)")
    ((end,),) = run_sql("SELECT pg_current_wal_flush_lsn()")
    sync()
    ((second,),) = run_sql(_PLACE)
    assert run_sql(receipts) == [(second,)]
    # The commit is behind what was confirmed before it, and before what is confirmed now.
    within = "SELECT _rb_lsn >= %s, _rb_lsn < %s, %s <= %s::pg_lsn FROM lake.orders WHERE _rb_op = 'insert'"
    assert run_sql(within, first, end, end, second) == [(True, True, True)]
