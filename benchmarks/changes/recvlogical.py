"""The measure to compare with: what `pg_recvlogical` takes to read a slot, and to throw away what it reads."""

from __future__ import annotations

import os
import subprocess
import time

import psycopg

from rapidbyte.embedded import ServerAddress, find_installation

_COPY = "bench_copy"


def time_recvlogical(address: ServerAddress, session: psycopg.Connection, slot: str) -> float:
    """Give the seconds that it takes for what `slot` has not read yet, as the pipeline asks for it; the slot stays."""
    session.execute("SELECT pg_copy_logical_replication_slot(%s, %s)", (slot, _COPY))
    row = session.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert row is not None
    session.execute("CHECKPOINT")  # writes something behind that place
    command = [str(find_installation().program("pg_recvlogical")), f"--dbname={address.dsn()}", f"--slot={_COPY}"]
    options = ["--option=proto_version=1", f"--option=publication_names={slot}"]
    started = time.perf_counter()
    subprocess.run(
        [*command, "--start", f"--endpos={row[0]}", "--no-loop", f"--file={os.devnull}", *options], check=True
    )
    seconds = time.perf_counter() - started
    session.execute("SELECT pg_drop_replication_slot(%s)", (_COPY,))
    return seconds
