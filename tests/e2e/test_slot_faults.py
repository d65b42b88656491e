"""What becomes of a slot behind a pipeline's back: each case is a typed error with its remedy, and never a gap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import ExecStatus

import rapidbyte
from harness.fix_changes import Sql, Sync
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import RapidbyteError

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/changes.yaml"
_SLOT = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"


@pytest.fixture
def small_log(run_sql: Sql) -> Iterator[None]:
    """Have the server keep next to nothing of its log for slots."""
    run_sql("ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'")
    run_sql("SELECT pg_reload_conf()")
    yield
    run_sql("ALTER SYSTEM RESET max_slot_wal_keep_size")
    run_sql("SELECT pg_reload_conf()")


def _slot(run_sql: Sql) -> str:
    ((name,),) = run_sql(_SLOT)
    return str(name)


@contextmanager
def _reader_of_the_slot(run_sql: Sql, address: ServerAddress) -> Iterator[int]:
    """Read from the slot, as another program would; the process of the server that does."""
    name = _slot(run_sql)
    start = f"START_REPLICATION SLOT {name} LOGICAL 0/0 (proto_version '1', publication_names '{name}')"
    with closing(psycopg.connect(address.dsn(), autocommit=True, replication="database")) as reader:
        assert reader.pgconn.exec_(start.encode()).status == ExecStatus.COPY_BOTH
        yield reader.info.backend_pid
    is_used = "SELECT bool_or(active) FROM pg_replication_slots WHERE slot_name = %s"
    wait_until(lambda: run_sql(is_used, name) == [(False,)], "the slot is free")


@pytest.mark.usefixtures("small_log")
def test_slot_whose_log_is_gone_is_told_by_check_and_run(
    sync: Sync, run_sql: Sql, changes_variables: Mapping[str, str]
) -> None:
    sync()
    run_sql("INSERT INTO orders (id) VALUES (10)")

    def is_lost() -> bool:
        run_sql("INSERT INTO items VALUES ('more', 1)")
        run_sql("SELECT pg_switch_wal()")
        run_sql("CHECKPOINT")
        return run_sql("SELECT wal_status FROM pg_replication_slots WHERE database = current_database()") == [("lost",)]

    wait_until(is_lost, "the slot is lost")
    with pytest.raises(RapidbyteError) as refused:
        rapidbyte.check_pipeline(Path(PIPELINE), env=changes_variables)
    with pytest.raises(RapidbyteError) as failed:
        sync()
    assert (refused.value.info.code, failed.value.info.code) == ("slot_lost", "slot_lost")
    assert "raise max_slot_wal_keep_size or run more often" in str(failed.value)
    assert run_sql("SELECT count(*) FROM lake.orders") == [(2,)]
    run_sql("SELECT pg_drop_replication_slot(%s)", _slot(run_sql))
    run_sql("DROP TABLE lake.orders, lake.items")
    sync()
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,), (10,)]


def test_slot_that_was_made_anew_is_told_though_it_has_the_name(sync: Sync, run_sql: Sql) -> None:
    sync()
    name = _slot(run_sql)
    run_sql("SELECT pg_drop_replication_slot(%s)", name)
    run_sql("INSERT INTO orders (id) VALUES (10)")
    run_sql("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", name)
    run_sql("INSERT INTO orders (id) VALUES (11)")
    with pytest.raises(RapidbyteError) as failed:
        sync()
    assert failed.value.info.code == "slot_advanced"
    assert "it was made anew, or somebody else read from it" in str(failed.value)
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,)]


def test_position_behind_the_end_of_the_log_is_told(sync: Sync, run_sql: Sql) -> None:
    sync()
    run_sql("""UPDATE _rapidbyte.receipts SET position = jsonb_set(position, '{lsn}', '"FFFF/0"')""")
    with pytest.raises(RapidbyteError) as failed:
        sync()
    assert failed.value.info.code == "position_ahead"
    assert "it is another server, or it was set back" in str(failed.value)


def test_run_waits_for_who_reads_from_the_slot(sync: Sync, run_sql: Sql, changes_database: ServerAddress) -> None:
    sync()
    run_sql("INSERT INTO orders (id) VALUES (10)")
    waits = "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(0.1)%%' AND pid <> pg_backend_pid()"
    with ThreadPoolExecutor(1) as thread:
        with _reader_of_the_slot(run_sql, changes_database):
            run = thread.submit(sync)
            wait_until(lambda: run.done() or run_sql(waits) == [(True,)], "the run waits")
            assert not run.done()
        assert run.result().rows_written == 1


def test_slot_that_somebody_keeps_reading_from_is_told(
    sync: Sync, run_sql: Sql, changes_database: ServerAddress, tmp_path: Path, changes_variables: Mapping[str, str]
) -> None:
    sync()
    once = tmp_path / "once.yaml"
    once.write_text(Path(PIPELINE).read_text() + "  max_retries: 0\n")
    with _reader_of_the_slot(run_sql, changes_database) as process, pytest.raises(RapidbyteError) as failed:
        rapidbyte.run_pipeline(once, env=changes_variables, state_path=tmp_path / "once.db")
    assert failed.value.info.code == "slot_in_use"
    assert f"in use by process {process} of the server; end what reads from it" in str(failed.value)
