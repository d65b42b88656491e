"""Plays a case of tests/e2e/modes_matrix.py: two tables are moved, get a column, changes and a bad row, and move again.

A model of a few lines says what is in the destination then. What a mode or a policy does besides is tested by the file
of each. The states that pipelines are recorded in are shared by the cases of a file, each of which has tables and a
pipeline of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from e2e.modes_matrix import NO_TRANSFORM, PIPELINE, variables_of
from harness.fix_database import made_database
from harness.matrix import Case
from harness.names import SchemaPair
from harness.oracle import TableName, columns_of
from harness.schemas import SchemaOwner
from harness.seeds import seed
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import DataError, SchemaError
from rapidbyte.model import (
    DataErrorPolicy,
    NewColumn,
    RunReport,
    RunStatus,
    StateBackend,
    StateSpec,
    SyncMode,
    WriteMode,
)
from rapidbyte.state import Selection, open_state

_SEED = "fixtures/sql/matrix.sql"
_TABLES = ("first", "second")
_CHANGES = """
    INSERT INTO {s}.first (id, at, amount, note) VALUES (201, '2024-03-01 12:40+00', 1, 'late'), (202, now(), 2, NULL);
    UPDATE {s}.first SET at = now(), note = 'changed' WHERE id = 3;
    INSERT INTO {s}.second VALUES ('new', now(), 7, '')
"""
_BAD_ROW = "INSERT INTO {s}.first (id, at, amount, note) VALUES (203, now(), -1, 'bad')"

Rows = Counter[tuple[Any, ...]]

States = Mapping[StateBackend, StateSpec]


@pytest.fixture(scope="module")
def states(
    server: ServerAddress,
    owner_session: psycopg.Connection,
    schema_owner: SchemaOwner,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[States]:
    """A state of each kind: a file, and a database."""
    schemas = schema_owner.create("states")
    with made_database(owner_session, server, schemas) as database:
        yield {
            StateBackend.SQLITE: StateSpec(connection=str(tmp_path_factory.mktemp("state") / "state.db")),
            StateBackend.POSTGRES: StateSpec(StateBackend.POSTGRES, database.dsn()),
        }
    schema_owner.drop(schemas)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a case is played: its tables, and the variables of its pipeline."""

    case: Case
    session: psycopg.Connection
    schemas: SchemaPair
    state: StateSpec
    variables: Mapping[str, str]

    def run(self, **more: str) -> RunReport:
        """Run the pipeline."""
        return rapidbyte.run_pipeline(PIPELINE, env={**self.variables, **more})

    def ask(self, statement: str) -> None:
        """Run statements: `{s}` is the source's schema in them, `{d}` the destination's."""
        names = {"s": sql.Identifier(self.schemas.source), "d": sql.Identifier(self.schemas.destination)}
        self.session.execute(sql.SQL(statement).format(**names))

    def columns(self, schema: str, table: str) -> list[tuple[str, str]]:
        """List the columns with their types, without those that tell of a change."""
        return [each for each in columns_of(self.session, TableName(schema, table)) if not each[0].startswith("_rb_")]

    def rows(self, schema: str, table: str, columns: list[tuple[str, str]]) -> Rows:
        """Count the rows, by the texts of these columns; NULL for one that the table has not."""
        there = {name for name, _ in self.columns(schema, table)}
        texts = [
            sql.SQL("{}::text").format(sql.Identifier(name)) if name in there else sql.SQL("NULL")
            for name, _ in columns
        ]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(texts), sql.Identifier(schema, table))
        return Counter(self.session.execute(query).fetchall())


@pytest.fixture
def scene(
    case: Case,
    owner_session: psycopg.Connection,
    schemas: SchemaPair,
    variables: Mapping[str, str],
    states: States,
) -> Scene:
    """The tables of a case, and what its pipeline refers to."""
    seed(owner_session, schemas.source, _SEED)
    state = states[StateBackend(case["backend"])]
    of_pipeline = {"PIPELINE": schemas.source, "STATE": str(state.connection)}
    return Scene(case, owner_session, schemas, state, {**variables, **variables_of(case), **of_pipeline})


@pytest.fixture
def play(scene: Scene) -> Callable[[], None]:
    """Plays the case of the test."""
    return lambda: _assert_arrives(scene)


def _expected(case: Case, before: Rows, after: Rows) -> Rows:
    """Say what two runs leave of a table that was so, and then so."""
    if case["write_mode"] != WriteMode.APPEND.value:
        return after
    return before + (after if case["sync_mode"] == SyncMode.FULL_REFRESH.value else after - before)


def _assert_arrives(scene: Scene) -> None:
    report = scene.run()
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [("first", 200), ("second", 90)]
    columns = {table: scene.columns(scene.schemas.source, table) for table in _TABLES}
    before = {table: scene.rows(scene.schemas.source, table, columns[table]) for table in _TABLES}
    for table in _TABLES:
        assert scene.columns(scene.schemas.destination, table) == columns[table]
        assert scene.rows(scene.schemas.destination, table, columns[table]) == before[table]
    ended = [RunStatus.COMPLETED, *_drift(scene), *_change(scene), RunStatus.COMPLETED]
    if scene.case["new_column"] == NewColumn.ADD.value:
        columns["first"].append(("more", "integer"))
        before["first"] = Counter({(*row, None): count for row, count in before["first"].items()})
    for table in _TABLES:
        after = scene.rows(scene.schemas.source, table, columns[table])
        if scene.case["on_data_error"] != DataErrorPolicy.FAIL.value:
            after = Counter({row: count for row, count in after.items() if row[0] != "203"})
        assert scene.columns(scene.schemas.destination, table) == columns[table]
        expected = _expected(scene.case, before[table], after)
        assert scene.rows(scene.schemas.destination, table, columns[table]) == expected
    _assert_recorded(scene, ended)


def _drift(scene: Scene) -> list[RunStatus]:
    """Give the source a column. A run that is to fail for it does, and the column goes again."""
    scene.ask("ALTER TABLE {s}.first ADD more int")
    if scene.case["new_column"] != NewColumn.FAIL.value:
        return []
    with pytest.raises(SchemaError) as caught:
        scene.run()
    assert caught.value.code == "column_missing"
    scene.ask("ALTER TABLE {s}.first DROP more")
    return [RunStatus.FAILED]


def _change(scene: Scene) -> list[RunStatus]:
    """Change the source, with one row that is bad, and move it. A run that is to fail does, and the cause is mended."""
    is_ruled = scene.case["transforms"] != NO_TRANSFORM
    if not is_ruled:
        scene.ask("ALTER TABLE {d}.first ADD CONSTRAINT positive CHECK (amount >= 0)")
    scene.ask(_CHANGES)
    scene.ask(_BAD_ROW)
    if scene.case["on_data_error"] != DataErrorPolicy.FAIL.value:
        assert scene.run().rows_rejected == 1
        return []
    names = [("id", "integer")]
    there = scene.rows(scene.schemas.destination, "first", names)
    with pytest.raises(DataError) as caught:
        scene.run()
    assert caught.value.code == ("rule_broken" if is_ruled else "23514")
    assert scene.rows(scene.schemas.destination, "first", names) == there
    mend_row, mend_table = (
        "UPDATE {s}.first SET amount = 1 WHERE id = 203",
        "ALTER TABLE {d}.first DROP CONSTRAINT positive",
    )
    scene.ask(mend_row if is_ruled else mend_table)
    assert scene.run().rows_rejected == 0
    return [RunStatus.FAILED]


def _assert_recorded(scene: Scene, ended: list[RunStatus]) -> None:
    """The state has every run, and the bad row where it is to be kept."""
    pipeline = scene.variables["PIPELINE"]
    with open_state(scene.state) as state:
        assert [run.status for run in reversed(state.runs.runs(pipeline))] == ended
        letters = [stored.letter for stored in state.dead_letters.list(Selection(pipeline))]
    is_kept = scene.case["on_data_error"] == DataErrorPolicy.DLQ.value
    assert [letter.row["id"] for letter in letters] == (["203"] if is_kept else [])
