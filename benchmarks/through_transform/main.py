"""The benchmark's command line: rounds of all passages in turn, and what each adds to a run of a few rows."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from statistics import median

import psycopg
import yaml

import rapidbyte
from pg_to_pg.workload import DESTINATION_SCHEMA, TABLE, clear_destination, make_source
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from through_transform.passage import Passage

_FEW_ROWS = 10
_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB"}

Times = Mapping[Passage, list[float]]


def main() -> None:
    """Run everything and print lines for people, or one JSON document at the end."""
    options = _parser().parse_args()
    with (
        EmbeddedPostgres.start(settings=_SETTINGS) as server,
        psycopg.connect(server.address.dsn(), autocommit=True) as session,
    ):
        few = _rounds(server.address, session, _FEW_ROWS, options.rounds)
        many = _rounds(server.address, session, options.rows, options.rounds)
    for passage in Passage:
        added_ms = 1000 * (median(few[passage]) - median(few[Passage.NONE]))
        ratio = median(none / it for none, it in zip(many[Passage.NONE], many[passage], strict=True))
        print(f"{passage.value}: {ratio:.3f} of the speed of none; {added_ms:.0f} ms more to start", flush=True)
    if options.json:
        print(json.dumps({"few_s": _document(few), "many_s": _document(many)}))


def _rounds(address: ServerAddress, session: psycopg.Connection, rows: int, count: int) -> Times:
    """Time each passage `count` times, in turn, once the connectors are compiled and the caches warm."""
    make_source(session, rows)
    times: dict[Passage, list[float]] = {passage: [] for passage in Passage}
    for round_number in range(count + 1):
        for passage in Passage:
            seconds = _timed(address, session, passage, rows)
            if round_number > 0:
                times[passage].append(seconds)
    for passage, seconds_of in times.items():
        shown = ", ".join(f"{seconds:.3f}" for seconds in seconds_of)
        print(f"{rows:,} rows through {passage.value}: median {median(seconds_of):.3f} s of {shown}", flush=True)
    return times


def _timed(address: ServerAddress, session: psycopg.Connection, passage: Passage, rows: int) -> float:
    """Run the pipeline, from the call to its return, and check what came of it."""
    clear_destination(session, with_table=False)
    with tempfile.TemporaryDirectory() as state:
        started = time.perf_counter()
        rapidbyte.run_pipeline(_document_of(address, passage), state_path=Path(state) / "state.db")
        seconds = time.perf_counter() - started
    found = session.execute(f"SELECT count(*) FROM {DESTINATION_SCHEMA}.{TABLE}").fetchone()
    if found != (passage.rows_left(rows),):
        raise RuntimeError(f"A run through {passage.value} left {found} of {rows} rows; its time means nothing.")
    return seconds


def _document_of(address: ServerAddress, passage: Passage) -> Mapping[str, object]:
    with as_file(files("through_transform") / "pipeline.yaml") as path:
        document: dict[str, object] = yaml.safe_load(path.read_text(encoding="utf-8"))
    for side in ("source", "destination"):
        part = document[side]
        assert isinstance(part, dict)
        part["config"] |= {
            "host": address.host,
            "port": address.port,
            "user": address.user,
            "password": address.password,
            "database": address.database,
        }
    document["transforms"] = list(passage.transforms)
    return document


def _document(times: Times) -> Mapping[str, list[float]]:
    return {passage.value: seconds for passage, seconds in times.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each passage, in turn")
    parser.add_argument("--json", action="store_true", help="end with a JSON document of all figures")
    return parser


if __name__ == "__main__":
    main()
