"""The measure to compare with: `psql COPY TO | psql COPY FROM`, in binary."""

from __future__ import annotations

import subprocess
import time

from pg_to_pg.workload import DESTINATION_SCHEMA, SOURCE_SCHEMA, TABLE
from rapidbyte.embedded import ServerAddress, find_installation


def run_raw_pipe(address: ServerAddress) -> float:
    """Copy the table and give the seconds both processes took together."""
    psql = find_installation().program("psql")
    command = [str(psql), address.dsn(), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command"]
    read = f"COPY {SOURCE_SCHEMA}.{TABLE} TO STDOUT (FORMAT binary)"
    write = f"COPY {DESTINATION_SCHEMA}.{TABLE} FROM STDIN (FORMAT binary)"
    started = time.perf_counter()
    with (
        subprocess.Popen([*command, read], stdout=subprocess.PIPE) as reader,
        subprocess.Popen([*command, write], stdin=reader.stdout) as writer,
    ):
        assert reader.stdout is not None
        reader.stdout.close()
    if reader.returncode or writer.returncode:
        raise RuntimeError("The raw pipe failed; psql said why above.")
    return time.perf_counter() - started
