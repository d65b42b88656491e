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
    (stream(sync_mode="cdc"), "source.streams[0].sync_mode: 'cdc' is not available in this version; use full_refresh"),
    (
        stream(write_mode="upsert"),
        "source.streams[0].write_mode: 'upsert' is not available in this version; use append",
    ),
    (
        {"destination__write_mode": "replace"},
        "destination.write_mode: 'replace' is not available in this version; use append",
    ),
    (
        {"destination__on_data_error": "dlq"},
        "destination.on_data_error: 'dlq' is not available in this version; use fail",
    ),
    (
        {"destination__schema_evolution": {"new_column": "fail"}},
        "destination.schema_evolution.new_column: 'fail' is not available in this version; use add",
    ),
    (
        {"destination__schema_evolution": {"removed_column": "fail"}},
        "destination.schema_evolution.removed_column: 'fail' is not available in this version; use ignore",
    ),
    (
        {"destination__schema_evolution": {"type_change": "coerce"}},
        "destination.schema_evolution.type_change: 'coerce' is not available in this version; use fail",
    ),
    (
        {"destination__schema_evolution": {"nullability_change": "fail"}},
        "destination.schema_evolution.nullability_change: 'fail' is not available in this version; use allow",
    ),
    *[
        (stream(**{key: "id"}), f"source.streams[0].{key}: is not available in this version; remove it")
        for key in ("cursor_field", "tie_breaker_field", "partition_key")
    ],
    (stream(primary_key=["id"]), "source.streams[0].primary_key: is not available in this version; remove it"),
    ({"destination__primary_key": ["id"]}, "destination.primary_key: is not available in this version; remove it"),
    ({"transforms": [{"use": "sql", "config": {}}]}, "transforms: is not available in this version; remove it"),
    *[
        ({"resources": {key: value}}, f"resources.{key}: '{value}' is not available in this version; remove the key")
        for key, value in (
            ("checkpoint_interval_bytes", 1),
            ("checkpoint_interval_rows", 5),
            ("checkpoint_interval_seconds", 5),
            ("max_retries", 0),
        )
    ],
    *[
        (
            {"resources": {"autotune": {key: value}}},
            f"resources.autotune.{key}: is not available in this version; remove it",
        )
        for key, value in (("parallelism", 2), ("partition_mode", "range"), ("flush_bytes", "1mb"))
    ],
]


INCREMENTAL_ONLY = (
    "source.streams[0].null_cursor: 'skip' is not available in this version; use fail",
    "source.streams[0].cursor_lag: '5' is not available in this version; remove the key",
)


@pytest.mark.parametrize(("change", "problem"), CASES)
def test_value_that_this_version_cannot_run_is_refused(change: dict[str, Any], problem: str) -> None:
    assert problems_of(minimal(**change)) == [problem]


def test_keys_of_incremental_streams_are_refused_with_their_mode() -> None:
    keys = {"cursor_field": "id", "null_cursor": "skip", "cursor_lag": 5}
    assert problems_of(minimal(**stream(sync_mode="incremental", **keys))) == [
        "source.streams[0].sync_mode: 'incremental' is not available in this version; use full_refresh",
        "source.streams[0].cursor_field: is not available in this version; remove it",
        *INCREMENTAL_ONLY,
    ]


def test_every_rule_has_a_case() -> None:
    problems = (*(problem for _, problem in CASES), *INCREMENTAL_ONLY)
    refused = {problem.split(": ")[0].replace("[0]", ".*") for problem in problems}
    assert refused == {".".join(rule.path) for rule in RULES}


@pytest.mark.parametrize("autotune", [True, False, {}, {"enabled": False}])
def test_autotune_may_be_on_or_off(autotune: object) -> None:
    assert load(minimal(resources={"autotune": autotune})) == load(minimal())


def test_wrong_value_is_not_called_unavailable_as_well() -> None:
    assert problems_of(minimal(destination__write_mode="merge")) == [
        "destination.write_mode: 'merge' is not one of append, replace, upsert"
    ]
