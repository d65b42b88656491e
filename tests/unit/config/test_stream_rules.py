"""What the keys of a stream demand of each other and of the destination's keys."""

from __future__ import annotations

from typing import Any

import pytest

from unit.config.documents import MINIMAL, minimal, problems_of

_STREAM = "source.streams[0]"


def told(default_mode: str = "append", *, key: list[str] | None = None, **keys: object) -> list[str]:
    """Return the problems of a stream, but for what is not available yet."""
    change: dict[str, Any] = {
        "source__streams": [{"name": "users", **keys}],
        "destination__write_mode": default_mode,
        "destination__on_data_error": "nobody",  # so that no document here is valid
    }
    if key is not None:
        change["destination__primary_key"] = key
    problems = problems_of(minimal(**change))
    return [
        problem
        for problem in problems
        if "not available" not in problem and not problem.startswith("destination.on_data_error")
    ]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (
            {"sync_mode": "incremental"},
            "cursor_field: is required by sync_mode incremental; name a column whose values grow",
        ),
        (
            {"sync_mode": "incremental", "cursor_field": "id", "tie_breaker_field": "id"},
            "tie_breaker_field: 'id' is the cursor itself; name another column that tells apart rows of the same "
            "cursor, or remove it",
        ),
        (
            {"sync_mode": "incremental", "cursor_field": "id", "columns": ["name"]},
            "cursor_field: 'id' is not among the columns of the stream; add it to columns",
        ),
        (
            {"sync_mode": "incremental", "cursor_field": "at", "tie_breaker_field": "id", "columns": ["at"]},
            "tie_breaker_field: 'id' is not among the columns of the stream; add it to columns",
        ),
        (
            {"sync_mode": "incremental", "cursor_field": "id", "partition_key": "id"},
            "partition_key: is for sync_mode full_refresh only, not for incremental; remove it",
        ),
        (
            {"sync_mode": "cdc", "partition_key": "id"},
            "partition_key: is for sync_mode full_refresh only, not for cdc; remove it",
        ),
        (
            {"sync_mode": "full_refresh", "null_cursor": "skip"},
            "null_cursor: is for sync_mode incremental only, not for full_refresh; remove it",
        ),
        (
            {"sync_mode": "cdc", "cursor_lag": 5},
            "cursor_lag: is for sync_mode incremental only, not for cdc; remove it",
        ),
        (
            {"sync_mode": "incremental", "cursor_field": "id", "write_mode": "replace"},
            "write_mode: incremental with write_mode replace would leave only the rows that are new since the last "
            "run; use append or upsert, or sync_mode full_refresh",
        ),
        (
            {"sync_mode": "cdc", "write_mode": "replace"},
            "write_mode: cdc with write_mode replace would leave only the changes since the last run; use append or "
            "upsert, or sync_mode full_refresh",
        ),
        (
            {"sync_mode": "cdc", "columns": ["name"], "primary_key": ["id"]},
            "columns: lacks 'id' of the primary key, which cdc needs; add it",
        ),
        (
            {"sync_mode": "full_refresh", "columns": ["name"], "primary_key": ["id", "name"], "write_mode": "upsert"},
            "columns: lacks 'id' of the primary key, which upsert needs; add it",
        ),
        ({"sync_mode": "incremental", "cursor_field": "id", "null_cursor": "first"}, None),
        ({"sync_mode": "incremental", "cursor_field": "id", "cursor_lag": -1}, "cursor_lag: must be at least 0.0"),
        (
            {"sync_mode": "incremental", "cursor_field": "id", "cursor_lag": "5"},
            "cursor_lag: must be a number, not text",
        ),
    ],
)
def test_contradiction_in_a_stream_is_told(keys: dict[str, object], problem: str | None) -> None:
    expected = "null_cursor: 'first' is not one of fail, skip" if problem is None else problem
    assert told(**keys) == [f"{_STREAM}.{expected}"]  # type: ignore[arg-type]  # the keys of a stream


def test_keys_of_the_destination_count_where_a_stream_has_none_of_its_own() -> None:
    stream: dict[str, Any] = {"sync_mode": "incremental", "cursor_field": "id", "columns": ["id"]}
    assert told("replace", **stream) == [
        f"{_STREAM}.sync_mode: incremental with write_mode replace would leave only the rows that are new since the "
        "last run; use append or upsert, or sync_mode full_refresh"
    ]
    assert told("upsert", key=["tenant", "id"], **stream) == [
        f"{_STREAM}.columns: lacks 'tenant' of the primary key, which upsert needs; add it"
    ]
    assert told("upsert", key=["tenant"], **stream, primary_key=["id"]) == []
    assert told("replace", **stream, write_mode="append") == []


@pytest.mark.parametrize(
    "keys",
    [
        {"sync_mode": "full_refresh", "partition_key": "id", "columns": ["name"]},
        {"sync_mode": "incremental", "cursor_field": "at", "tie_breaker_field": "id", "columns": ["id", "at"]},
        {"sync_mode": "incremental", "cursor_field": "at", "null_cursor": "skip", "cursor_lag": 1.5},
        {"sync_mode": "cdc", "columns": ["id"], "primary_key": ["id"]},
    ],
)
def test_keys_that_fit_are_accepted(keys: dict[str, object]) -> None:
    assert told(**keys) == []  # type: ignore[arg-type]  # the keys of a stream


def test_contradiction_is_told_at_its_line_and_without_the_text_of_a_variable() -> None:
    document = MINIMAL.replace(
        "sync_mode: full_refresh", "sync_mode: incremental\n      cursor_field: ${KEY}\n      columns: [name]"
    )
    assert (
        "9: source.streams[0].cursor_field: the text of ${KEY} is not among the columns of the stream; "
        "add it to columns"
    ) in problems_of(document, KEY="hunter2")


def permissions(**parts: object) -> list[str]:
    return problems_of(minimal(source__permissions=parts))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("https://db.example.com", "write the host only, without a scheme or a path"),
        ("db.example.com:5432", "write the host only, without a port"),
        ("db.*.com", "a star stands alone or in front, as in *.example.com"),
        ("*db.example.com", "a star stands alone or in front, as in *.example.com"),
        ("-x.example.com", "it is not a host name"),
    ],
)
def test_bad_pattern_of_a_host_is_named(pattern: str, why: str) -> None:
    assert permissions(network={"allowed_hosts": ["ok.example.com", pattern]}) == [
        f"source.permissions.network.allowed_hosts[1]: '{pattern}' cannot be used: {why}"
    ]


def test_bad_names_in_every_permission_of_every_connector_are_told_together() -> None:
    wrong = {
        "network": {"allowed_hosts": ["a.b", "a.b"]},
        "env": {"allowed_vars": ["HOME", "9LIVES"]},
        "fs": {"allowed_preopens": ["data"]},
    }
    expected = [
        "network.allowed_hosts[1]: 'a.b' stands twice; keep one",
        "env.allowed_vars[1]: '9LIVES' cannot be used: it is not the name of a variable: letters, digits and _",
        "fs.allowed_preopens[0]: 'data' cannot be used: it is not an absolute path",
    ]
    transform = {"use": "sql", "config": {}, "permissions": wrong}
    document = minimal(source__permissions=wrong, destination__permissions=wrong, transforms=[transform])
    homes = ("source", "transforms[0]", "destination")
    assert [problem for problem in problems_of(document) if "permissions" in problem] == [
        f"{home}.permissions.{problem}" for home in homes for problem in expected
    ]
