"""The measure to compare with: `psql COPY TO | psql COPY FROM`, in binary, and what one writes by hand for a mode."""

from __future__ import annotations

import subprocess
import time

from pg_to_pg.workload import DESTINATION_SCHEMA, SOURCE_SCHEMA, TABLE
from rapidbyte.embedded import ServerAddress, find_installation
from rapidbyte.model import WriteMode

_TARGET = f"{DESTINATION_SCHEMA}.{TABLE}"
_COLUMNS = ("quantity", "ratio", "is_active", "note", "code", "created_at", "born_on", "price", "attributes")
_COPY = "COPY {} FROM STDIN (FORMAT binary)"
_STATEMENTS = {  # one transaction each
    WriteMode.APPEND: (_COPY.format(_TARGET),),
    WriteMode.REPLACE: (f"DELETE FROM {_TARGET}", _COPY.format(_TARGET)),
    WriteMode.UPSERT: (
        f"CREATE TEMPORARY TABLE staged (LIKE {_TARGET}) ON COMMIT DROP",
        _COPY.format("staged"),
        f"INSERT INTO {_TARGET} SELECT * FROM staged ON CONFLICT (id) DO UPDATE SET "
        + ", ".join(f"{column} = EXCLUDED.{column}" for column in _COLUMNS),
    ),
}


def run_raw_pipe(address: ServerAddress, mode: WriteMode = WriteMode.APPEND) -> float:
    """Copy the table and give the seconds both processes took together."""
    psql = find_installation().program("psql")
    command = [str(psql), address.dsn(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"]
    read = f"--command=COPY {SOURCE_SCHEMA}.{TABLE} TO STDOUT (FORMAT binary)"
    write = [f"--command={statement}" for statement in _STATEMENTS[mode]]
    started = time.perf_counter()
    with (
        subprocess.Popen([*command, read], stdout=subprocess.PIPE) as reader,
        subprocess.Popen([*command, *write], stdin=reader.stdout) as writer,
    ):
        assert reader.stdout is not None
        reader.stdout.close()
    if reader.returncode or writer.returncode:
        raise RuntimeError("The raw pipe failed; psql said why above.")
    return time.perf_counter() - started
