"""What this version does not run yet: refused by name, while its default value is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from rapidbyte.config import load
from rapidbyte.model import SyncMode, WriteMode
from unit.config.documents import minimal, problems_of


def stream(**keys: object) -> dict[str, Any]:
    return {"source__streams": [{"name": "users", "sync_mode": "full_refresh", **keys}]}


def test_changes_with_transforms_are_refused() -> None:
    change = {**stream(sync_mode="cdc"), "transforms": [{"use": "sql", "config": {"query": "SELECT 1"}}]}
    problem = "cdc with transforms is not available in this version; remove them"
    assert problems_of(minimal(**change)) == [f"source.streams[0].sync_mode: {problem}"]


@pytest.mark.parametrize("mode", [WriteMode.APPEND, WriteMode.UPSERT])
def test_changes_can_be_appended_and_applied(mode: WriteMode) -> None:
    assert load(minimal(**stream(sync_mode="cdc", write_mode=mode.value))).streams[0].write_mode is mode


def test_changes_can_be_appended() -> None:
    assert load(minimal(**stream(sync_mode="cdc"))).streams[0].sync_mode is SyncMode.CDC
    document = minimal(**stream(sync_mode="cdc", write_mode="append"), destination__write_mode="upsert")
    assert load(document).streams[0].write_mode is WriteMode.APPEND


def test_wrong_value_is_not_called_unavailable_as_well() -> None:
    assert problems_of(minimal(destination__write_mode="merge")) == [
        "destination.write_mode: 'merge' is not one of append, replace, upsert"
    ]
