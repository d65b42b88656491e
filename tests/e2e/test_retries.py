"""Attempts: what fails in passing is tried again, and neither doubles nor loses a row, not even at an unseen commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.proxy import COMMITTED, Effect, Fault, FaultyProxy
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import TransientDatabaseError

_MODES = "fixtures/pipelines/modes.yaml"
_FULL = {"SYNC_MODE": "full_refresh"}
_INCREMENTAL = {"SYNC_MODE": "incremental", "CURSOR": "at", "BATCH_BYTES": "64kb", "CHECKPOINT_ROWS": "700"}
_WAYS = pytest.mark.parametrize(
    "way",
    [
        {**_FULL, "WRITE_MODE": "append"},
        {**_FULL, "WRITE_MODE": "replace"},
        {**_FULL, "WRITE_MODE": "upsert"},
        {**_INCREMENTAL, "WRITE_MODE": "append"},
        {**_INCREMENTAL, "WRITE_MODE": "upsert"},
    ],
    ids=["append", "replace", "upsert", "incremental append", "incremental upsert"],
)


@pytest.fixture
def proxy(server: ServerAddress) -> Iterator[FaultyProxy]:
    """A proxy before the shared server, which must listen on TCP."""
    with FaultyProxy(server.host, server.port) as proxy:
        yield proxy


@pytest.fixture
def first(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    seeded("fixtures/sql/two_tables.sql")
    return TableName(schemas.source, "first"), TableName(schemas.destination, "first")


@_WAYS
def test_commit_that_was_made_and_never_confirmed_is_not_made_again(
    session: psycopg.Connection,
    first: tuple[TableName, TableName],
    run_pipeline: RunPipeline,
    proxy: FaultyProxy,
    way: dict[str, str],
) -> None:
    through = {"DESTINATION_HOST": "127.0.0.1", "DESTINATION_PORT": str(proxy.port)}
    run_pipeline(_MODES, STREAM="second", WRITE_MODE="append", **through)  # makes the table of receipts
    proxy.order(Fault(Effect.CUT, answer=COMMITTED))
    report = run_pipeline(_MODES, STREAM="first", **way, **through)
    assert proxy.struck == 1
    assert [(stream.rows_read, stream.rows_written, stream.attempts) for stream in report.streams] == [(3000, 3000, 2)]
    assert_same_table(session, *first)


@_WAYS
def test_session_that_is_ended_by_the_server_is_followed_by_another(
    session: psycopg.Connection,
    first: tuple[TableName, TableName],
    ask: Ask,
    run_pipeline: RunPipeline,
    way: dict[str, str],
) -> None:
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.first (LIKE {s}.first INCLUDING ALL)")
    ask("CREATE SEQUENCE {d}.rows_seen")
    ask(
        "CREATE FUNCTION {d}.end_once() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN IF nextval(TG_ARGV[0]) = 1500 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; "
        "RETURN NEW; END $$"
    )
    ask(
        "CREATE TRIGGER end_once BEFORE INSERT ON {d}.first FOR EACH ROW EXECUTE FUNCTION {d}.end_once('"
        + f'"{first[1].schema}".rows_seen'
        + "')"
    )
    report = run_pipeline(_MODES, STREAM="first", **way)
    assert [(stream.rows_written, stream.attempts) for stream in report.streams] == [(3000, 2)]
    assert_same_table(session, *first)


def test_attempts_end_and_the_error_stays(
    ask: Ask, seeded: Seed, variables: Mapping[str, str], state_path: Path
) -> None:
    seeded("fixtures/sql/two_tables.sql")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.first (LIKE {s}.first INCLUDING ALL)")
    ask(
        "CREATE FUNCTION {d}.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'not today' USING ERRCODE = '53100'; END $$"
    )
    ask("CREATE TRIGGER refuse BEFORE INSERT ON {d}.first FOR EACH ROW EXECUTE FUNCTION {d}.refuse()")
    events: list[rapidbyte.Event] = []
    with pytest.raises(TransientDatabaseError, match="not today"):
        rapidbyte.run_pipeline(
            Path(_MODES),
            env={**variables, "STREAM": "first", "MAX_RETRIES": "2"},
            state_path=state_path,
            on_event=events.append,
        )
    said = [event.message.splitlines()[-1] for event in events if isinstance(event, rapidbyte.LogLine)]
    assert [line.rpartition("Attempt")[2] for line in said] == [" 2 of 3 begins in 0.5 s.", " 3 of 3 begins in 1 s."]
    assert ask("SELECT count(*) FROM {d}.first") == [(0,)]
