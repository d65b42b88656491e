"""The demo: a real data set through the real parts, and a proof that can fail."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cli import Cli, finish
from harness.names import SchemaPair
from harness.profiles import is_nightly
from harness.waiting import wait_until
from rapidbyte.demo.dataset import TABLES
from rapidbyte.demo.proof import TableProof, compare_table

Change = Callable[[str], None]


@pytest.mark.parametrize("step", ["Starting", "Loading", *(["Running"] if is_nightly() else [])])
def test_interrupted_demo_ends_soon_and_leaves_nothing_running(cli: Cli, server_folder: Path, step: str) -> None:
    with cli.start("demo", TMPDIR=str(server_folder)) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith(step):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        ended = finish(process)
    assert (ended.code, ended.stdout) == (130, "")
    assert "Traceback" not in ended.stderr
    wait_until(lambda: not list(server_folder.iterdir()), "the server to end with the demo")


@pytest.mark.parametrize("options", [("--keep",), ()] if is_nightly() else [("--keep",)], ids=" ".join)
def test_whole_data_set_arrives_and_a_server_is_left_only_when_it_is_to_be_kept(
    cli: Cli, server_folder: Path, options: tuple[str, ...]
) -> None:
    ended = cli.run("demo", *options, TMPDIR=str(server_folder))
    assert ended.code == 0, ended.stderr
    loaded = [f"  {table.name}: {table.rows:,} rows" for table in TABLES]
    assert [line for line in ended.stderr.splitlines() if line in loaded] == loaded
    moved = re.findall(r"^(\w+) +([\d,]+) ", ended.stdout, re.MULTILINE)
    assert moved == [*((table.name, f"{table.rows:,}") for table in TABLES), ("total", "367,687")]
    found = re.search(r"still running: (\S+)\n.*Stop it with: kill (\d+)\n", ended.stdout)
    assert (found is not None) == ("--keep" in options), ended.stdout
    if found is not None:
        try:
            with psycopg.connect(found[1]) as session:
                assert session.execute("SELECT count(*) FROM nycflights13_copy.flights").fetchone() == (336_776,)
        finally:
            os.kill(int(found[2]), signal.SIGTERM)
        wait_until(lambda: not list(server_folder.iterdir()), "the kept server to stop when told")
    assert list(server_folder.iterdir()) == []


@pytest.fixture
def change(session: psycopg.Connection, schemas: SchemaPair) -> Change:
    """Make two equal tables `t`, and give a way to change the one in the destination."""
    session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schemas.destination)))
    for schema in (schemas.source, schemas.destination):
        table = sql.Identifier(schema, "t")
        session.execute(
            sql.SQL("CREATE TABLE {} AS SELECT n, n / 2.0 AS half FROM generate_series(1, 9) n").format(table)
        )
    target = sql.Identifier(schemas.destination, "t").as_string(session)

    def run(statement: str) -> None:
        session.execute(statement.format(target).encode())

    return run


@pytest.mark.parametrize(
    ("statement", "proof"),
    [
        ("SELECT FROM {}", TableProof("t", 9, 9, 0, 0, has_equal_columns=True)),
        ("DELETE FROM {} WHERE n = 3", TableProof("t", 9, 8, 1, 0, has_equal_columns=True)),
        ("INSERT INTO {0} SELECT * FROM {0}", TableProof("t", 9, 18, 0, 9, has_equal_columns=True)),
        ("UPDATE {} SET half = NULL WHERE n = 3", TableProof("t", 9, 9, 1, 1, has_equal_columns=True)),
        ("ALTER TABLE {} ALTER n TYPE bigint", TableProof("t", 9, 0, 9, 0, has_equal_columns=False)),
        ("DROP TABLE {}", TableProof("t", 9, 0, 9, 0, has_equal_columns=False)),
    ],
)
def test_proof_counts_what_is_missing_and_what_is_surplus(
    session: psycopg.Connection, schemas: SchemaPair, change: Change, statement: str, proof: TableProof
) -> None:
    change(statement)
    found = compare_table(session, schemas.source, schemas.destination, "t")
    assert found == proof
    assert found.is_equal == (statement == "SELECT FROM {}")
