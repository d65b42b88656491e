"""What this version does not run yet: refused by name, while its default value is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from rapidbyte.config import load
from rapidbyte.config.availability import RULES
from unit.config.documents import minimal, problems_of


def stream(**keys: object) -> dict[str, Any]:
    return {"source__streams": [{"name": "users", "sync_mode": "full_refresh", **keys}]}


CASES: list[tuple[dict[str, Any], str]] = [
    (
        stream(sync_mode="cdc"),
        "source.streams[0].sync_mode: 'cdc' is not available in this version; use full_refresh or incremental",
    ),
]


@pytest.mark.parametrize(("change", "problem"), CASES)
def test_value_that_this_version_cannot_run_is_refused(change: dict[str, Any], problem: str) -> None:
    assert problems_of(minimal(**change)) == [problem]


def test_every_rule_has_a_case() -> None:
    refused = {problem.split(": ")[0].replace("[0]", ".*") for _, problem in CASES}
    assert refused == {".".join(rule.path) for rule in RULES}


def test_partition_key_is_taken_and_decides_nothing() -> None:
    assert load(minimal(**stream(partition_key="id"))) == load(minimal())


def test_wrong_value_is_not_called_unavailable_as_well() -> None:
    assert problems_of(minimal(destination__write_mode="merge")) == [
        "destination.write_mode: 'merge' is not one of append, replace, upsert"
    ]
