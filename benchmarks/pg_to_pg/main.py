"""The benchmark's command line: alternating pairs, the fixed cost, the peak memory, printed as they come."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from statistics import median

import psycopg

from pg_to_pg.rapidbyte_runs import Measured, run_measured, time_command
from pg_to_pg.raw_pipe import run_raw_pipe
from pg_to_pg.workload import add_source_key, check_destination, clear_destination, fill_destination, make_source
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from rapidbyte.model import WriteMode

_MEBIBYTE = 1 << 20
_FEW_ROWS = 10
_MANY_TIMES = 5
_DEFAULT = "auto"

# Room for a run between checkpoints, and the log's files stay: to make them anew takes as long as to write them, and
# would fall on one run and not on the next. Durability is as Postgres comes.
_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB", "min_wal_size": "4GB"}


@dataclass(frozen=True, slots=True)
class Pair:
    """One run of each, made one after the other; a ratio of 1 means as fast as the raw pipe."""

    raw_s: float
    rapidbyte: Measured

    @property
    def ratio(self) -> float:
        """The speed of the pipeline as a share of the raw pipe's."""
        return self.raw_s / self.rapidbyte.pipeline_s

    @property
    def process_ratio(self) -> float:
        """The same with rapidbyte's process from its start to its end."""
        return self.raw_s / self.rapidbyte.process_s


@dataclass(frozen=True, slots=True)
class Bench:
    """A server with a source table on it, and a session to prepare and check with."""

    address: ServerAddress
    session: psycopg.Connection

    def pair(self, rows: int, parallelism: str, *, is_raw_first: bool) -> Pair:
        """Measure both ways of moving the table, in either order."""
        if is_raw_first:
            raw_s = self.raw(rows)
            return Pair(raw_s, self.rapidbyte(rows, parallelism))
        measured = self.rapidbyte(rows, parallelism)
        return Pair(self.raw(rows), measured)

    def raw(self, rows: int) -> float:
        """Time the raw pipe."""
        clear_destination(self.session, with_table=True)
        seconds = run_raw_pipe(self.address)
        check_destination(self.session, rows)
        return seconds

    def rapidbyte(self, rows: int, parallelism: str = _DEFAULT) -> Measured:
        """Measure the pipeline."""
        clear_destination(self.session, with_table=False)
        measured = run_measured(self.address, parallelism=parallelism)
        check_destination(self.session, rows)
        return measured

    def pair_of_mode(self, mode: WriteMode, rows: int) -> Pair:
        """Measure what is written by hand and the pipeline over a table that has all of the rows, and a key."""
        fill_destination(self.session)
        raw_s = run_raw_pipe(self.address, mode)
        check_destination(self.session, rows)
        fill_destination(self.session)
        measured = run_measured(self.address, mode)
        check_destination(self.session, rows)
        return Pair(raw_s, measured)

    def command_s(self, rows: int) -> float:
        """Time `rapidbyte run`."""
        clear_destination(self.session, with_table=False)
        seconds = time_command(self.address)
        check_destination(self.session, rows)
        return seconds


def main() -> None:
    """Run everything and print lines for people, or one JSON document at the end."""
    options = _parser().parse_args()
    with (
        EmbeddedPostgres.start(settings=_SETTINGS) as server,
        psycopg.connect(server.address.dsn(), autocommit=True) as session,
    ):
        bench = Bench(server.address, session)
        make_source(session, _FEW_ROWS)
        fixed_s = [bench.command_s(_FEW_ROWS) for _ in range(_MANY_TIMES)]
        print(f"{_FEW_ROWS} rows, whole process: median {median(fixed_s):.3f} s of {_shown(fixed_s)}", flush=True)
        make_source(session, options.rows)
        pairs = _pairs(bench, _DEFAULT, options.rows, options.pairs)
        alone = _pairs(bench, "1", options.rows, options.single_pairs) if options.single_pairs else []
        peaks = {options.rows: max(pair.rapidbyte.peak_memory_bytes for pair in pairs)}
        modes = {}
        if options.mode_pairs:
            add_source_key(session)
            modes = {mode: _pairs_of_mode(bench, mode, options) for mode in (WriteMode.REPLACE, WriteMode.UPSERT)}
        if options.memory_rows:
            make_source(session, options.memory_rows)
            peaks[options.memory_rows] = bench.rapidbyte(options.memory_rows).peak_memory_bytes
        for rows, peak in peaks.items():
            print(f"peak memory at {rows:,} rows: {peak / _MEBIBYTE:.0f} MiB", flush=True)
    if options.json:
        print(
            json.dumps(
                {
                    "fixed_s": fixed_s,
                    "pairs": _documents(pairs),
                    "single": _documents(alone),
                    "peak_memory_bytes": peaks,
                }
                | {mode.value: _documents(found) for mode, found in modes.items()}
            )
        )


def _pairs(bench: Bench, parallelism: str, rows: int, count: int) -> list[Pair]:
    print(f"parallelism {parallelism}:", flush=True)
    pairs = [_announced(bench.pair(rows, parallelism, is_raw_first=i % 2 == 0)) for i in range(count)]
    print(
        f"median ratio of parallelism {parallelism} {median(pair.ratio for pair in pairs):.3f}, with process "
        f"{median(pair.process_ratio for pair in pairs):.3f}",
        flush=True,
    )
    return pairs


def _pairs_of_mode(bench: Bench, mode: WriteMode, options: argparse.Namespace) -> list[Pair]:
    print(f"{mode.value}, next to the same by hand:", flush=True)
    pairs = [_announced(bench.pair_of_mode(mode, options.rows)) for _ in range(options.mode_pairs)]
    print(f"median ratio of {mode.value} {median(pair.ratio for pair in pairs):.3f}", flush=True)
    return pairs


def _documents(pairs: list[Pair]) -> list[dict[str, object]]:
    return [asdict(pair) for pair in pairs]


def _announced(pair: Pair) -> Pair:
    measured = pair.rapidbyte
    print(
        f"raw {pair.raw_s:.2f} s, rapidbyte {measured.pipeline_s:.2f} s (process {measured.process_s:.2f} s), "
        f"ratio {pair.ratio:.3f}, lanes {measured.lanes}, peak {measured.peak_memory_bytes / _MEBIBYTE:.0f} MiB",
        flush=True,
    )
    return pair


def _shown(seconds: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in seconds)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs, in alternating order")
    parser.add_argument("--single-pairs", type=int, default=3, help="pairs of runs with parallelism 1; 0 for none")
    parser.add_argument("--mode-pairs", type=int, default=3, help="pairs of runs of replace and of upsert; 0 for none")
    parser.add_argument("--memory-rows", type=int, default=5_000_000, help="rows of the second memory run; 0 for none")
    parser.add_argument("--json", action="store_true", help="end with one JSON document")
    return parser


if __name__ == "__main__":
    main()
