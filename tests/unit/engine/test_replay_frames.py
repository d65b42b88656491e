"""Rows of text become Arrow messages that name the type of each column."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pytest

from rapidbyte.engine import replay_dead_letters
from rapidbyte.engine.replay_frames import frames_of_rows
from rapidbyte.engine.replay_stage import require_frames
from rapidbyte.errors import ConfigError, MissingPackageError
from rapidbyte.model import Column, ConnectorSpec, Pipeline

_COLUMNS = (Column("id", "integer", False), Column("größe", "numeric(9,2)", True))


def test_rows_of_text_come_back_with_their_types() -> None:
    schema, batch = frames_of_rows(_COLUMNS, [("1", None), ("2", "é\0")])
    read = pa.ipc.read_schema(pa.py_buffer(schema))
    assert [(field.name, field.type, field.metadata) for field in read] == [
        ("id", pa.string(), {b"rapidbyte.type": b"integer", b"rapidbyte.form": b"text"}),
        ("größe", pa.string(), {b"rapidbyte.type": b"numeric(9,2)", b"rapidbyte.form": b"text"}),
    ]
    rows = pa.ipc.read_record_batch(pa.py_buffer(batch), read)
    assert rows.to_pydict() == {"id": ["1", "2"], "größe": [None, "é\0"]}


def test_missing_library_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.delitem(sys.modules, "rapidbyte.engine.replay_frames")
    with pytest.raises(MissingPackageError, match="Replaying rows needs the library pyarrow") as caught:
        require_frames()
    assert caught.value.code == "replay_needs_pyarrow"
    assert caught.value.message.endswith("Install it with: pip install 'rapidbyte[replay]'")


def test_letter_that_is_not_there_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    nowhere = ConnectorSpec("nowhere", {})
    with pytest.raises(ConfigError, match="no rejected row 7 of pipeline p that waits") as caught:
        replay_dead_letters(Pipeline("p", nowhere, nowhere, ()), letter_ids=[7], state_path=tmp_path / "state.db")
    assert caught.value.code == "dlq_not_found"
