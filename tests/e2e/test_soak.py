"""Soak: several sessions write, tables get columns, and the run that applies the changes is killed again and again."""

from __future__ import annotations

import itertools
import json
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import psycopg
import pytest

from harness.cli import Cli
from harness.evidence import Evidence
from harness.fix_changes import Sql
from harness.fix_soak import Soak
from harness.oracle import TableName, assert_same_table
from harness.waiting import PATIENCE_S, wait_until
from harness.writers import STATEMENTS, TABLES, writing
from rapidbyte.embedded import ServerAddress

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/applied_changes.yaml"
_WRITERS = 3
_ROWS = 30
_ROUND_S = 5.0  # not much longer: what is wrong in a row is right again once the row is written anew
_LONGEST_S = 4.0
_KEPT_CALLS = 4
# Besides those of the histories: one with a full identity, and one in two parts, between which rows move.
_MORE_TABLES = """
    CREATE UNIQUE INDEX by_sku ON items (sku);
    CREATE TABLE parts (id int PRIMARY KEY, note text, big text) PARTITION BY RANGE (id);
    CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (MINVALUE) TO (15);
    CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (15) TO (MAXVALUE);
    ALTER TABLE parts_a ALTER big SET STORAGE EXTERNAL;
"""
_MORE_STATEMENTS = (
    "INSERT INTO items VALUES ('{a}', {c})",
    "UPDATE items SET amount = amount + {b} WHERE sku = '{a}'",
    "UPDATE items SET sku = '{b}' WHERE sku = '{a}'",
    "DELETE FROM items WHERE sku = '{a}'",
    "INSERT INTO parts VALUES ({a}, 'n{c}', repeat('{c} ', 2000))",
    "UPDATE parts SET note = 'n{c}' WHERE id = {a}",
    "UPDATE parts SET id = {b} WHERE id = {a}",
    "DELETE FROM parts WHERE id = {a}",
)
_TRUNCATIONS = (STATEMENTS["truncate"], STATEMENTS["leaves go"], "TRUNCATE items", "TRUNCATE parts, items")
_FREQUENT = tuple(STATEMENTS[kind] for kind in ("insert", "insert", "insert", "leaf", "leaf", "hang", "move"))
# Truncations are rare, as tables that are empty most of the time show little.
_OTHERS = tuple(text for text in STATEMENTS.values() if text not in _TRUNCATIONS)
_ALL = (*_TRUNCATIONS, *10 * (*_OTHERS, *_FREQUENT, *_MORE_STATEMENTS))
_TABLES = ("node", "items", "leaf", "parts")
_STREAMS = [
    {"name": name, "sync_mode": "cdc", **({"primary_key": ["sku"]} if name == "items" else {})} for name in _TABLES
]
# All rows in one transaction are of two shapes; rows that come later have a value of their own.
_NEW_COLUMN = """
    UPDATE {0} SET {1} = {1}; ALTER TABLE {0} ADD {2} int;
    UPDATE {0} SET {2} = {3}; ALTER TABLE {0} ALTER {2} SET DEFAULT 7
"""
# Rows that come at the end of each round, and go once they have been moved: so one delete in a hundred that is not
# applied shows, which it does not in a row that is soon written again.
_GUESTS_COME = """
    INSERT INTO leaf (id) SELECT n FROM generate_series(1001, 1200) AS n;
    INSERT INTO items SELECT 'guest ' || n, n FROM generate_series(1, 200) AS n;
    INSERT INTO parts SELECT n, 'guest' FROM generate_series(1001, 1200) AS n
"""
_GUESTS_GO = """
    DELETE FROM leaf WHERE id > 1000; DELETE FROM items WHERE sku LIKE 'guest%'; DELETE FROM parts WHERE id > 1000
"""
_ALTERED = {"node": "note", "items": "amount", "parts": "note"}  # each with a column that is written without effect


@dataclass
class Disturbance:
    """Runs without an end, each of which is killed at some time, and what was done meanwhile."""

    cli: Cli
    run_sql: Sql
    choose: Random
    kills: int = 0
    columns: int = 0
    places: set[str] = field(default_factory=set)

    def last(self, seconds: float) -> None:
        """Disturb for so long, and at least until runs have moved the slot twice."""
        end = time.monotonic() + seconds
        self.places = set()
        longest = _LONGEST_S
        while time.monotonic() < end or len(self.places) < 3:
            assert time.monotonic() < end + PATIENCE_S, f"runs get nowhere: {self}"
            # One that got nowhere was killed too early, so the next one has more time.
            self._run_and_kill(longest)
            found = {place for (place,) in self.run_sql(_PLACE)}
            longest = 2 * longest if found <= self.places else _LONGEST_S
            self.places |= found
            del self.cli.evidence.calls[:-_KEPT_CALLS]

    def _run_and_kill(self, longest: float) -> None:
        with self.cli.start("run", _PIPELINE, "-q", CDC_MODE="tail") as process:
            try:
                if self.choose.random() < 0.3:
                    time.sleep(self.choose.uniform(0.0, _LONGEST_S / 2))
                    self._add_column()
                _, stderr = process.communicate(timeout=self.choose.uniform(0.2, longest))
                pytest.fail(f"a run ended by itself, with {process.returncode}: {stderr}")
            except subprocess.TimeoutExpired:
                self.kills += 1
            finally:
                process.kill()

    def _add_column(self) -> None:
        self.columns += 1
        table = self.choose.choice(list(_ALTERED))
        statement = _NEW_COLUMN.format(table, _ALTERED[table], f"added_{self.columns}", self.columns)

        def is_added() -> bool:
            with suppress(psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                self.run_sql(statement)
                return True
            return False

        wait_until(is_added, f"{table} gets a column")


_PLACE = """
    SELECT confirmed_flush_lsn::text FROM pg_replication_slots
    WHERE database = current_database() AND NOT temporary AND confirmed_flush_lsn IS NOT NULL
"""


@pytest.fixture
def soak_cli(changes_variables: Mapping[str, str], tmp_path: Path, evidence: Evidence) -> Cli:
    """The `rapidbyte` command, with the variables of the pipeline of applied changes."""
    return Cli({**changes_variables, "STREAMS": json.dumps(_STREAMS), "BATCH_BYTES": "256kb"}, tmp_path, evidence)


def _catch_up(cli: Cli) -> None:
    ended = cli.run("run", _PIPELINE, "-q", CDC_MODE="catchup")
    assert ended.code == 0, ended.stderr


@pytest.mark.default_major  # at night it takes long; whoever chooses another version has it there
def test_whatever_is_written_altered_and_killed_the_next_run_leaves_the_tables_equal(
    soak: Soak,
    soak_cli: Cli,
    run_sql: Sql,
    changes_session: psycopg.Connection,
    changes_database: ServerAddress,
) -> None:
    choose = Random(soak.seed)
    run_sql("CREATE SCHEMA lake; SET lock_timeout = '1s'")
    run_sql(TABLES.format("public", "UNIQUE") + _MORE_TABLES)
    if choose.random() < 0.5:  # tables that refer to each other are copied while nothing does
        run_sql(TABLES.format("lake", "UNIQUE"))
        _catch_up(soak_cli)
    disturbance = Disturbance(soak_cli, run_sql, choose)
    end = time.monotonic() + soak.seconds
    for number in itertools.count():
        with writing(changes_database.dsn(), f"{soak.seed}/{number}", _WRITERS, _ALL, _ROWS):
            disturbance.last(_ROUND_S)
        for statements in (_GUESTS_COME, _GUESTS_GO):
            run_sql(statements)
            _catch_up(soak_cli)
        print(f"round {number} is over: {disturbance.kills} kills, {disturbance.columns} new columns so far")
        for name in _TABLES:
            assert_same_table(changes_session, TableName("public", name), TableName("lake", name))
        if time.monotonic() >= end:
            return
