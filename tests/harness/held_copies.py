"""Lanes that fill a table on its way, held at their first row until a test has seen what it waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.fix_changes import Sql

# Whoever fills a table on its way waits for a lock that the test holds; no transaction is open for it, for which the
# slot of a snapshot would wait.
_HOLD = """
    CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NEW; END';
    CREATE FUNCTION public.hold() RETURNS event_trigger LANGUAGE plpgsql AS $$
    DECLARE made text;
    BEGIN
        FOR made IN SELECT object_identity FROM pg_event_trigger_ddl_commands()
            WHERE command_tag = 'CREATE TABLE' AND object_identity LIKE '\\_rapidbyte.share\\_%'
        LOOP
            EXECUTE 'CREATE TRIGGER waits BEFORE INSERT ON ' || made || ' FOR EACH ROW EXECUTE FUNCTION public.wait()';
        END LOOP;
    END $$;
    CREATE EVENT TRIGGER holding ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.hold()
"""
_WAITING = """
    SELECT {} FROM pg_locks WHERE locktype = 'advisory' AND objid = 1 AND NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@contextmanager
def holding(run_sql: Sql) -> Iterator[Callable[[], int]]:
    """Have whoever fills a copy wait for the end of the block; how many do."""
    run_sql(_HOLD)
    run_sql("SELECT pg_advisory_lock(1)")
    try:
        yield lambda: int(run_sql(_WAITING.format("count(*)"))[0][0])
    finally:
        run_sql("SELECT pg_advisory_unlock(1)")
        run_sql("DROP EVENT TRIGGER holding")


def end_one(run_sql: Sql) -> None:
    """End the session of one lane that waits."""
    run_sql(_WAITING.format("pg_terminate_backend(max(pid))"))


def end_all(run_sql: Sql) -> None:
    """End the sessions of all lanes that wait."""
    run_sql(_WAITING.format("pg_terminate_backend(pid)"))
