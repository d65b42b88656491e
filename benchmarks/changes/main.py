"""The benchmark's command line: rounds of the same changes read in each way, and the memory of a transaction."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median

import psycopg

import rapidbyte
from changes.recvlogical import time_recvlogical
from changes.workload import CHANGES_OF_ONE, change, check_destination, insert, make_source
from pg_to_pg.rapidbyte_runs import run_python, server_variables
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from rapidbyte.model import WriteMode

_MEBIBYTE = 1 << 20
_FEW = 500_000
_RAW = "pg_recvlogical"
_MODES = (WriteMode.APPEND, WriteMode.UPSERT)
_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "wal_level": "logical"}
_SLOT = "SELECT slot_name FROM pg_replication_slots WHERE NOT temporary"


@dataclass
class Bench:
    """A server with the table, a pipeline for each mode that has read its slot so far, and what was changed since."""

    address: ServerAddress
    session: psycopg.Connection
    pipeline: Path
    state: Path
    slot: str = ""
    changes: int = 0

    def begin(self) -> None:
        """Make the table and have each pipeline copy it, which compiles the connectors too."""
        make_source(self.session)
        for mode in _MODES:
            self.run(mode)
            row = self.session.execute(_SLOT).fetchone()
            assert row is not None
            self.slot = self.slot or row[0]

    def round(self, changes: int, first: int) -> Mapping[str, float]:
        """Make changes, and give the seconds that each way of reading them takes, from the `first` one on."""
        change(self.session, changes)
        self.changes += changes
        ways = [_RAW, *(mode.value for mode in _MODES)]
        # What reads a copy of a slot comes before the one that reads the slot itself.
        if first % 2:
            ways.reverse()
            ways.remove(_RAW)
            ways.insert(ways.index(WriteMode.APPEND.value), _RAW)
        return {way: self.timed(way) for way in ways}

    def timed(self, way: str) -> float:
        """Read what was changed, in one way."""
        self.session.execute("CHECKPOINT")
        if way == _RAW:
            return time_recvlogical(self.address, self.session, self.slot)
        started = time.perf_counter()
        self.run(WriteMode(way))
        seconds = time.perf_counter() - started
        check_destination(self.session, WriteMode(way), self.changes)
        return seconds

    def run(self, mode: WriteMode) -> None:
        """Run the pipeline of a mode in this process."""
        rapidbyte.run_pipeline(self.pipeline, env=self._variables(mode), state_path=self.state)

    def peak_memory(self, mode: WriteMode) -> int:
        """Run it in a process of its own, and give the most memory that this one had, in bytes."""
        self.session.execute("CHECKPOINT")
        _, peak = run_python(["-m", "pg_to_pg.child", str(self.pipeline)], self._variables(mode))
        check_destination(self.session, mode, self.changes)
        return peak

    def peaks(self, rows: int) -> Mapping[str, int]:
        """Insert rows in one transaction, and give the memory that each mode takes for it."""
        insert(self.session, rows)
        self.changes += rows
        found = {mode.value: self.peak_memory(mode) for mode in _MODES}
        shown = ", ".join(f"{mode} {peak / _MEBIBYTE:.0f} MiB" for mode, peak in found.items())
        print(f"peak memory, one transaction of {rows:,} changes: {shown}", flush=True)
        return found

    def _variables(self, mode: WriteMode) -> Mapping[str, str]:
        return {**server_variables(self.address), "BENCH_WRITE_MODE": mode.value}


def main() -> None:
    """Run everything and print lines for people, or one JSON document at the end."""
    options = _parser().parse_args()
    with (
        EmbeddedPostgres.start(settings=_SETTINGS) as server,
        psycopg.connect(server.address.dsn(), autocommit=True) as session,
        as_file(files("changes") / "pipeline.yaml") as pipeline,
        tempfile.TemporaryDirectory() as state,
    ):
        bench = Bench(server.address, session, pipeline, Path(state) / "state.db")
        bench.begin()
        rounds = _rounds(bench, options.rows, options.rounds)
        peaks = {rows: bench.peaks(rows) for rows in (_FEW, options.large) if options.large}
    if options.json:
        print(json.dumps({"rounds": rounds, "peak_memory_bytes": peaks}))


def _rounds(bench: Bench, changes: int, count: int) -> list[Mapping[str, float]]:
    bench.round(CHANGES_OF_ONE, 0)  # warms up
    rounds = []
    for number in range(count):
        rounds.append(seconds := bench.round(changes, number))
        print(", ".join(f"{way} {changes / taken:,.0f} changes/s" for way, taken in seconds.items()), flush=True)
    for mode in _MODES:
        ratios = [seconds[_RAW] / seconds[mode.value] for seconds in rounds]
        shown = ", ".join(f"{ratio:.3f}" for ratio in ratios)
        print(f"{mode.value}: median {median(ratios):.3f} of the speed of {_RAW}, of {shown}", flush=True)
    return rounds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000, help="changes of a round, in thousands")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of all ways of reading, in either order")
    parser.add_argument("--large", type=int, default=5_000_000, help="changes of the large transaction; 0 for none")
    parser.add_argument("--json", action="store_true", help="end with one JSON document of all figures")
    return parser


if __name__ == "__main__":
    main()
