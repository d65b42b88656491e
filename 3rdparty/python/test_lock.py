"""Tests that every lock belongs to its input."""

from pathlib import Path

import pytest

from lock import FOLDER, LOCKS, Lock, header, is_stale


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_is_up_to_date_with_its_input(lock: Lock) -> None:
    first_line = (FOLDER / lock.target).read_text(encoding="utf-8").split("\n", 1)[0]
    assert first_line + "\n" == header(lock, FOLDER), "Run: python3 3rdparty/python/lock.py"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_lock_pins_hashes_and_names_no_address(lock: Lock) -> None:
    lines = (FOLDER / lock.target).read_text(encoding="utf-8").splitlines()
    pins = [number for number, line in enumerate(lines) if "==" in line and not line.startswith((" ", "#"))]
    assert pins
    assert [lines[number] for number in pins if "--hash=sha256:" not in lines[number + 1]] == []
    assert [line for line in lines if "://" in line] == []


def test_every_input_has_a_lock() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.in")) == [lock.name for lock in LOCKS]


def test_lock_of_a_changed_input_is_stale(tmp_path: Path) -> None:
    lock = Lock("some", "3.11")
    (tmp_path / lock.source).write_text("rich\n")
    assert is_stale(lock, tmp_path)
    (tmp_path / lock.target).write_text(header(lock, tmp_path) + "rich==14.0.0\n")
    assert not is_stale(lock, tmp_path)
    (tmp_path / lock.source).write_text("rich>14\n")
    assert is_stale(lock, tmp_path)
