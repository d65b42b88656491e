"""Any combination of modes and policies: two tables are moved, get a column, changes and a bad row, and move again.

A model of a few lines says what is in the destination then. What a mode or a policy does besides is tested by the file
of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from e2e.modes_matrix import MATRIX, NO_TRANSFORM, every, parametrized
from harness.matrix import Case, Refusal
from harness.names import SchemaPair
from harness.oracle import TableName, columns_of
from harness.seeds import seed
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import DataError, DocumentError, SchemaError
from rapidbyte.model import (
    Compression,
    DataErrorPolicy,
    NewColumn,
    RunReport,
    RunStatus,
    StateBackend,
    StateSpec,
    SyncMode,
    WriteMode,
)
from rapidbyte.state import open_state

SEED = "fixtures/sql/matrix.sql"
_PIPELINE = Path("fixtures/pipelines/matrix.yaml")
_TABLES = ("first", "second")
_RULE = "[{use: validate, config: {rules: [{assert_range: {field: amount, min: 0}, streams: [first]}]}}]"
_CHANGES = """
    INSERT INTO {s}.first (id, at, amount, note) VALUES (201, '2024-03-01 12:40+00', 1, 'late'), (202, now(), 2, NULL);
    UPDATE {s}.first SET at = now(), note = 'changed' WHERE id = 3;
    INSERT INTO {s}.second VALUES ('new', now(), 7, '')
"""
_BAD_ROW = "INSERT INTO {s}.first (id, at, amount, note) VALUES (203, now(), -1, 'bad')"

Rows = Counter[tuple[Any, ...]]


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
        return rapidbyte.run_pipeline(_PIPELINE, env={**self.variables, **more})

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
def address(request: pytest.FixtureRequest, case: Case) -> ServerAddress:
    """The database of the case: one on a server for changes alone, with the tables, or the one that tests share."""
    is_changes = case["sync_mode"] == SyncMode.CDC.value
    found: ServerAddress = request.getfixturevalue("changes_database" if is_changes else "server")
    return found


@pytest.fixture
def scene(
    request: pytest.FixtureRequest, address: ServerAddress, case: Case, schemas: SchemaPair, state_path: Path
) -> Scene:
    """The tables of a case, and what its pipeline refers to."""
    is_changes = case["sync_mode"] == SyncMode.CDC.value
    where = SchemaPair("public", "lake") if is_changes else schemas
    session: psycopg.Connection = request.getfixturevalue("changes_session" if is_changes else "session")
    if not is_changes:
        seed(session, where.source, SEED)
    backend = StateBackend(case["backend"])
    state = StateSpec(backend, str(state_path))
    if backend is StateBackend.POSTGRES:
        state = replace(state, connection=(address if is_changes else request.getfixturevalue("database")).dsn())
    variables = {
        **{name.upper(): value for name, value in case.items()},
        "PIPELINE": schemas.source,
        "PGHOST": address.host,
        "PGPORT": str(address.port),
        "PGUSER": address.user,
        "PGPASSWORD": address.password,
        "PGDATABASE": address.database,
        "SOURCE_SCHEMA": where.source,
        "DESTINATION_SCHEMA": where.destination,
        "CURSOR": "at" if case["sync_mode"] == SyncMode.INCREMENTAL.value else "",
        "TRANSFORMS": "" if case["transforms"] == NO_TRANSFORM else _RULE,
        "STATE": str(state.connection),
    }
    return Scene(case, session, where, state, variables)


def _expected(case: Case, before: Rows, after: Rows) -> Rows:
    """Say what two runs leave of a table that was so, and then so."""
    if case["write_mode"] != WriteMode.APPEND.value:
        return after
    return before + (after if case["sync_mode"] == SyncMode.FULL_REFRESH.value else after - before)


@parametrized(every(MATRIX.cases()))
def test_tables_and_their_changes_arrive_exactly(scene: Scene, case: Case) -> None:
    report = scene.run()
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [("first", 200), ("second", 90)]
    columns = {table: scene.columns(scene.schemas.source, table) for table in _TABLES}
    before = {table: scene.rows(scene.schemas.source, table, columns[table]) for table in _TABLES}
    for table in _TABLES:
        assert scene.columns(scene.schemas.destination, table) == columns[table]
        assert scene.rows(scene.schemas.destination, table, columns[table]) == before[table]
    ended = [RunStatus.COMPLETED, *_drift(scene), *_change(scene), RunStatus.COMPLETED]
    if case["new_column"] == NewColumn.ADD.value:
        columns["first"].append(("more", "integer"))
        before["first"] = Counter({(*row, None): count for row, count in before["first"].items()})
    for table in _TABLES:
        after = scene.rows(scene.schemas.source, table, columns[table])
        if case["on_data_error"] != DataErrorPolicy.FAIL.value:
            after = Counter({row: count for row, count in after.items() if row[0] != "203"})
        assert scene.columns(scene.schemas.destination, table) == columns[table]
        assert scene.rows(scene.schemas.destination, table, columns[table]) == _expected(case, before[table], after)
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
        letters = [stored.letter for stored in state.dead_letters.list()]
    is_kept = scene.case["on_data_error"] == DataErrorPolicy.DLQ.value
    assert [letter.row["id"] for letter in letters] == (["203"] if is_kept else [])


REFUSED = [
    pytest.param(refusal, case, id="-".join(case.values()))
    for refusal in MATRIX.refusals
    for case in every(MATRIX.cases(refusal))
]


@pytest.mark.parametrize(("refusal", "case"), REFUSED)
def test_what_cannot_be_joined_is_refused_before_anything_is_made(
    variables: Mapping[str, str], state_path: Path, session: psycopg.Connection, refusal: Refusal, case: Case
) -> None:
    env = {
        **variables,
        **{name.upper(): value for name, value in case.items()},
        "CURSOR": "at" if case["sync_mode"] == SyncMode.INCREMENTAL.value else "",
        "TRANSFORMS": "" if case["transforms"] == NO_TRANSFORM else _RULE,
        "STATE": str(state_path),
    }
    with pytest.raises(DocumentError) as caught:
        rapidbyte.run_pipeline(_PIPELINE, env=env)
    first, second = caught.value.problems
    assert (first.path, first.message) == (refusal.path, refusal.message)
    assert (second.path, second.message) == (refusal.path.replace("[0]", "[1]"), refusal.message)
    assert session.execute("SELECT to_regnamespace(%s)", (variables["DESTINATION_SCHEMA"],)).fetchone() == (None,)
    assert not state_path.exists()


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("sync_mode", SyncMode),
        ("write_mode", WriteMode),
        ("compression", Compression),
        ("backend", StateBackend),
        ("on_data_error", DataErrorPolicy),
        ("new_column", NewColumn),
    ],
)
def test_every_value_of_a_key_is_in_the_matrix(dimension: str, values: Any) -> None:
    assert list(MATRIX.dimensions[dimension]) == [value.value for value in values]
