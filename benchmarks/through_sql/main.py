"""The benchmark's command line: rounds of all queries in turn, and what a transform adds to the start of a run."""

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
from through_sql.query import Query

_FEW_ROWS = 10
_SETTINGS = {"shared_buffers": "256MB", "max_wal_size": "4GB"}

Times = Mapping[Query, list[float]]


def main() -> None:
    """Run everything and print lines for people, or one JSON document at the end."""
    options = _parser().parse_args()
    with (
        EmbeddedPostgres.start(settings=_SETTINGS) as server,
        psycopg.connect(server.address.dsn(), autocommit=True) as session,
    ):
        few = _rounds(server.address, session, _FEW_ROWS, options.rounds)
        many = _rounds(server.address, session, options.rows, options.rounds)
    for query in (Query.IDENTITY, Query.FILTER, Query.COMPUTE):
        added_ms = 1000 * (median(few[query]) - median(few[Query.NONE]))
        ratio = median(none / it for none, it in zip(many[Query.NONE], many[query], strict=True))
        print(f"{query.value}: {ratio:.3f} of the speed of none; {added_ms:.0f} ms more to start", flush=True)
    if options.json:
        print(json.dumps({"few_s": _document(few), "many_s": _document(many)}))


def _rounds(address: ServerAddress, session: psycopg.Connection, rows: int, count: int) -> Times:
    """Time each query `count` times, in turn, once the connectors are compiled and the caches warm."""
    make_source(session, rows)
    times: dict[Query, list[float]] = {query: [] for query in Query}
    for round_number in range(count + 1):
        for query in Query:
            seconds = _timed(address, session, query, rows)
            if round_number > 0:
                times[query].append(seconds)
    for query, seconds_of in times.items():
        shown = ", ".join(f"{seconds:.3f}" for seconds in seconds_of)
        print(f"{rows:,} rows through {query.value}: median {median(seconds_of):.3f} s of {shown}", flush=True)
    return times


def _timed(address: ServerAddress, session: psycopg.Connection, query: Query, rows: int) -> float:
    """Run the pipeline, from the call to its return, and check what came of it."""
    clear_destination(session, with_table=False)
    with tempfile.TemporaryDirectory() as state:
        started = time.perf_counter()
        rapidbyte.run_pipeline(_document_of(address, query), state_path=Path(state) / "state.db")
        seconds = time.perf_counter() - started
    found = session.execute(f"SELECT count(*) FROM {DESTINATION_SCHEMA}.{TABLE}").fetchone()
    if found != (query.rows_left(rows),):
        raise RuntimeError(f"A run through {query.value} left {found} of {rows} rows; its time means nothing.")
    return seconds


def _document_of(address: ServerAddress, query: Query) -> Mapping[str, object]:
    with as_file(files("through_sql") / "pipeline.yaml") as path:
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
    if query.text is None:
        del document["transforms"]
    else:
        document["transforms"] = [{"use": "sql", "config": {"query": query.text}}]
    return document


def _document(times: Times) -> Mapping[str, list[float]]:
    return {query.value: seconds for query, seconds in times.items()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the table")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each query, in turn")
    parser.add_argument("--json", action="store_true", help="end with a JSON document of all figures")
    return parser


if __name__ == "__main__":
    main()
