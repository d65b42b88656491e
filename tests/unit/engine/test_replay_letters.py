"""Which letters can be replayed, why the others cannot, and which of them go together."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rapidbyte.engine.replay_letters import as_replayed, batches, reason_to_keep
from rapidbyte.errors import Category
from rapidbyte.model import Column, DataErrorPolicy, Stream, StreamSpec, SyncMode, WriteMode
from rapidbyte.state import DeadLetter, RejectedAt, StoredLetter, Uncommitted

_NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
_LETTER = DeadLetter(
    "p", "t", "r", RejectedAt.DESTINATION, Category.DATA, "23502", ("No NULL.",), {"id": "1", "name": None}
)
_SPEC = StreamSpec("t", SyncMode.FULL_REFRESH, WriteMode.APPEND)
_STREAM = Stream("s.t", (Column("id", "integer", False), Column("name", "text", True)), ("id",), None, None)


def _stored(letter_id: int = 1, **change: Any) -> StoredLetter:
    return StoredLetter(letter_id, replace(_LETTER, **change), _NOW)


def test_letter_that_is_whole_can_be_replayed() -> None:
    for spec in (_SPEC, replace(_SPEC, write_mode=WriteMode.UPSERT)):
        assert reason_to_keep(_stored(), spec, _STREAM, _NOW + timedelta(days=1)) is None
    replaced = replace(_SPEC, write_mode=WriteMode.REPLACE)
    assert reason_to_keep(_stored(rejected_at=RejectedAt.SOURCE), replaced, _STREAM, _NOW) is None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"uncommitted": Uncommitted(0)}, "its run did not come to the commit"),
        ({"rejected_at": RejectedAt.TRANSFORM}, "a transform rejected it"),
        ({"unreadable": ("name",)}, "does not hold name as it was"),
        ({"row": {}}, "does not hold the row as it was"),
        ({"row": {"id": 1, "name": "a"}}, "does not hold id as it was"),
        ({"row": {"id": "1", "name": "\ud800"}}, "does not hold name as it was"),
        ({"row": {"id": "1", "more": "a"}}, "the stream no longer has more"),
    ],
)
def test_letter_that_is_not_whole_is_kept(change: dict[str, Any], words: str) -> None:
    assert words in (reason_to_keep(_stored(**change), _SPEC, _STREAM, None) or "")


def test_letter_without_a_stream_or_of_a_table_that_was_replaced_is_kept() -> None:
    assert "no stream of this name" in (reason_to_keep(_stored(), None, None, None) or "")
    replaced = replace(_SPEC, write_mode=WriteMode.REPLACE)
    later = _NOW + timedelta(seconds=1)
    assert "has replaced the table since" in (reason_to_keep(_stored(), replaced, _STREAM, later) or "")


def test_change_that_would_be_applied_after_later_ones_is_kept() -> None:
    changes = replace(_SPEC, sync_mode=SyncMode.CDC)
    assert reason_to_keep(_stored(), changes, _STREAM, None) is None
    applied = replace(changes, write_mode=WriteMode.UPSERT)
    assert "later ones may have come" in (reason_to_keep(_stored(), applied, _STREAM, None) or "")


def test_rows_go_together_in_their_order_with_one_set_of_columns() -> None:
    other = _stored(3, row={"id": "3"})
    found = list(batches([_stored(1), _stored(2), other, _stored(4)], 1000))
    assert [batch.letter_ids for batch in found] == [(1, 2), (3,), (4,)]
    assert (found[0].columns, found[0].rows, found[0].size_bytes) == (("id", "name"), (("1", None),) * 2, 2)


def test_batches_are_bounded_in_bytes_and_rows() -> None:
    large = [_stored(number, row={"id": "é" * 30}) for number in range(5)]
    assert [batch.letter_ids for batch in batches(large, 120)] == [(0, 1), (2, 3), (4,)]
    assert [batch.letter_ids for batch in batches(large[:2], 1)] == [(0,), (1,)]
    assert [len(batch.rows) for batch in batches([_stored(number) for number in range(300)], 10_000)] == [256, 44]
    assert list(batches([], 10)) == []


@pytest.mark.parametrize(
    ("mode", "written"),
    [
        (WriteMode.APPEND, WriteMode.APPEND),
        (WriteMode.REPLACE, WriteMode.APPEND),
        (WriteMode.UPSERT, WriteMode.UPSERT),
    ],
)
def test_rows_are_written_as_in_a_run_but_replace_nothing(mode: WriteMode, written: WriteMode) -> None:
    spec, stream = as_replayed(replace(_SPEC, write_mode=mode), _STREAM)
    assert (spec.write_mode, spec.on_data_error, spec.primary_key) == (written, DataErrorPolicy.DLQ, ("id",))
    assert stream == replace(_STREAM, primary_key=())
    named, _ = as_replayed(replace(_SPEC, primary_key=("name",)), _STREAM)
    assert named.primary_key == ("name",)
