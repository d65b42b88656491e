"""The state in a file of SQLite: all that every backend must do, and what is a file's own affair."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.state_contract import StateContract
from rapidbyte.errors import Category, StateError
from rapidbyte.model import StateSpec
from rapidbyte.state import DeadLetter, RejectedAt, StoredLetter, default_path, open_state, state_file
from rapidbyte.state.migrations import MIGRATIONS, VERSION
from rapidbyte.state.opening import open_database

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
_OURS = 0x52427974


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "er" / "state.db"


@pytest.fixture
def spec(path: Path) -> StateSpec:
    return StateSpec(connection=str(path))


class TestSqlite(StateContract):
    pass


def test_marks_of_ended_processes_are_swept(path: Path, spec: StateSpec) -> None:
    with open_state(spec) as state:
        state.runs.start("r1", "p", START)
    with open_state(spec) as state:
        state.runs.runs()
    assert list(path.with_name("state.db-live").iterdir()) == []


def _file_of_version(path: Path, version: int, *statements: str) -> None:
    """Make a state file as an older rapidbyte left it."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for migration in MIGRATIONS[:version]:
            for statement in migration:
                connection.execute(statement)
        for statement in (*statements, f"PRAGMA user_version = {version}", f"PRAGMA application_id = {_OURS}"):
            connection.execute(statement)


def test_file_of_the_first_version_keeps_its_runs_and_gets_the_new_tables(path: Path, spec: StateSpec) -> None:
    run = "INSERT INTO runs (run_id, pipeline, status, started_at) VALUES ('r1', 'p', 'failed', '2026-11-24T03:00Z')"
    _file_of_version(path, 1, run)
    with open_state(spec) as state:
        assert [run.run_id for run in state.runs.runs()] == ["r1"]
        assert (state.dead_letters.count(), state.connectors.list()) == (0, ())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


def test_file_of_the_second_version_keeps_its_rejected_rows_under_their_ids(path: Path, spec: StateSpec) -> None:
    letter = (
        "INSERT INTO dead_letters VALUES (7, 'print', 'p', 't', 'r1', 'source', 'data', 'c', '[\"why\"]', "
        "'{\"id\": \"1\"}', NULL, '0:1', '2026-11-24T03:00:00+00:00', NULL)"
    )
    _file_of_version(path, 2, letter)
    with open_state(spec) as state:
        (stored,) = state.dead_letters.list()
    expected = DeadLetter("p", "t", "r1", RejectedAt.SOURCE, Category.DATA, "c", ("why",), {"id": "1"})
    assert stored == StoredLetter(7, expected, START)


def test_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    full = 2
    with closing(open_database(tmp_path / "state.db")) as connection:
        assert tuple(connection.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
        assert tuple(connection.execute("PRAGMA synchronous").fetchone()) == (full,)


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({"XDG_STATE_HOME": "/srv/state", "HOME": "/home/ada"}, "/srv/state/rapidbyte/state.db"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/ada"}, "/home/ada/.local/state/rapidbyte/state.db"),
        ({"HOME": "/home/ada"}, "/home/ada/.local/state/rapidbyte/state.db"),
    ],
)
def test_default_path_follows_the_xdg_specification(env: dict[str, str], expected: str) -> None:
    assert default_path(env) == Path(expected)


def test_home_in_the_path_of_a_file_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert state_file(StateSpec(connection="~/runs.db")) == Path("/home/ada/runs.db")


def test_home_that_nobody_knows_is_a_typed_error() -> None:
    with pytest.raises(StateError, match="Set HOME") as caught:
        state_file(StateSpec(connection="~no_such_user_here/runs.db"))
    assert caught.value.code == "state_no_home"
