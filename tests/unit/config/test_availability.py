"""What this version does not run yet: refused by name, while its default value is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from rapidbyte.config import load
from rapidbyte.model import SyncMode, WriteMode
from unit.config.documents import minimal, problems_of


def stream(**keys: object) -> dict[str, Any]:
    return {"source__streams": [{"name": "users", "sync_mode": "full_refresh", **keys}]}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            stream(sync_mode="cdc", write_mode="upsert"),
            "cdc with write_mode upsert is not available in this version; use append",
        ),
        (
            {**stream(sync_mode="cdc"), "destination__write_mode": "upsert"},
            "cdc with write_mode upsert is not available in this version; use append",
        ),
        (
            {**stream(sync_mode="cdc"), "transforms": [{"use": "sql", "config": {"query": "SELECT 1"}}]},
            "cdc with transforms is not available in this version; remove them",
        ),
    ],
)
def test_what_changes_cannot_be_joined_with_is_refused(change: dict[str, Any], problem: str) -> None:
    assert problems_of(minimal(**change)) == [f"source.streams[0].sync_mode: {problem}"]


def test_changes_can_be_appended() -> None:
    assert load(minimal(**stream(sync_mode="cdc"))).streams[0].sync_mode is SyncMode.CDC
    document = minimal(**stream(sync_mode="cdc", write_mode="append"), destination__write_mode="upsert")
    assert load(document).streams[0].write_mode is WriteMode.APPEND


def test_wrong_value_is_not_called_unavailable_as_well() -> None:
    assert problems_of(minimal(destination__write_mode="merge")) == [
        "destination.write_mode: 'merge' is not one of append, replace, upsert"
    ]
