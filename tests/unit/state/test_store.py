"""The state in a file of SQLite: all that every backend must do, and what is a file's own affair."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.state_contract import StateContract
from rapidbyte.errors import StateError
from rapidbyte.model import StateSpec
from rapidbyte.state import default_path, open_state, state_file
from rapidbyte.state.migrations import VERSION
from rapidbyte.state.opening import open_database

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


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


def test_file_of_the_first_version_keeps_its_runs_and_gets_the_new_tables(path: Path, spec: StateSpec) -> None:
    with open_state(spec) as state:
        state.runs.start("r1", "p", START)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE dead_letters")
        connection.execute("DROP TABLE connector_state")
        connection.execute("PRAGMA user_version = 1")
    with open_state(spec) as state:
        assert [run.run_id for run in state.runs.runs()] == ["r1"]
        assert (state.dead_letters.count(), state.connectors.list()) == (0, ())
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)


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
