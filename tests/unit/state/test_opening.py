"""State files that cannot be used: each failure is typed, and names the file and the remedy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rapidbyte.errors import StateError
from rapidbyte.model import StateSpec
from rapidbyte.state import State, open_state
from rapidbyte.state.migrations import VERSION


def opened(path: Path) -> State:
    return open_state(StateSpec(connection=str(path)))


def failure(path: Path) -> tuple[str, str]:
    with pytest.raises(StateError) as caught:
        opened(path)
    return caught.value.code, caught.value.message


def test_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    opened(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 6}")
    before = path.read_bytes()
    assert failure(path) == (
        "state_too_new",
        f"The state file {path} was written by a newer rapidbyte (format {VERSION + 6}, here {VERSION}). "
        "Upgrade rapidbyte, or name another file in state.connection.",
    )
    assert path.read_bytes() == before


def test_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE customers (id INTEGER)")
    before = path.read_bytes()
    assert failure(path) == (
        "state_foreign",
        f"{path} is a database of another program. Name another file in state.connection.",
    )
    assert path.read_bytes() == before


def test_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database at all, but long enough to have a header of one " * 20)
    assert failure(path) == (
        "state_corrupt",
        f"{path} is not a state file. Name another file in state.connection; or, if it was one and is damaged, "
        "move it away and a new one is made: it holds the history of runs and rejected rows, never a cursor.",
    )


def test_file_whose_pages_are_overwritten_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    opened(path).close()
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))
    assert failure(path)[0] == "state_corrupt"


def test_directory_in_the_place_of_the_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "state.db").mkdir()
    assert failure(tmp_path / "state.db") == (
        "state_unwritable",
        f"The state file {tmp_path / 'state.db'} cannot be written: unable to open database file. "
        "Make it writable, or name another file in state.connection.",
    )


def test_file_below_another_file_is_unwritable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert failure(tmp_path / "file" / "state.db") == (
        "state_unwritable",
        f"The state file {tmp_path / 'file' / 'state.db'} cannot be written: {tmp_path / 'file'} is not a directory. "
        "Make it writable, or name another file in state.connection.",
    )


def test_file_that_another_process_keeps_locked_is_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    monkeypatch.setattr("rapidbyte.state.opening._BUSY_TIMEOUT_S", 0.05)
    with opened(path) as state, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError) as caught:
            state.runs.runs()
        assert (caught.value.code, caught.value.retryable) == ("state_busy", True)
