"""From a document to the model: what a stream takes over from the destination, and the resources."""

from __future__ import annotations

import pytest

from rapidbyte.config import load
from rapidbyte.model import (
    MIB,
    CheckpointInterval,
    ConnectorSpec,
    Limits,
    NewColumn,
    NullabilityChange,
    NullCursor,
    Permissions,
    Pipeline,
    RemovedColumn,
    Resources,
    SchemaEvolution,
    StreamSpec,
    SyncMode,
    TypeChange,
    WriteMode,
)
from unit.config.documents import minimal, problems_of

_EVOLUTION = SchemaEvolution(NewColumn.IGNORE, RemovedColumn.FAIL, TypeChange.COERCE, NullabilityChange.FAIL)


def test_stream_has_its_own_mode_and_key_or_those_of_the_destination() -> None:
    streams = [
        {"name": "a", "sync_mode": "full_refresh"},
        {
            "name": "b",
            "sync_mode": "incremental",
            "write_mode": "append",
            "cursor_field": "at",
            "tie_breaker_field": "id",
            "null_cursor": "skip",
            "cursor_lag": 1.5,
            "primary_key": ["k"],
        },
    ]
    document = minimal(
        source__streams=streams,
        destination__write_mode="upsert",
        destination__primary_key=["id", "region"],
        destination__schema_evolution={
            "new_column": "ignore",
            "removed_column": "fail",
            "type_change": "coerce",
            "nullability_change": "fail",
        },
    )
    loaded: Pipeline = load(document)
    assert loaded.streams == (
        StreamSpec(
            "a", SyncMode.FULL_REFRESH, WriteMode.UPSERT, primary_key=("id", "region"), schema_evolution=_EVOLUTION
        ),
        StreamSpec(
            "b",
            SyncMode.INCREMENTAL,
            WriteMode.APPEND,
            cursor_field="at",
            tie_breaker_field="id",
            null_cursor=NullCursor.SKIP,
            cursor_lag=1.5,
            primary_key=("k",),
            schema_evolution=_EVOLUTION,
        ),
    )


def test_checkpoints_and_retries_are_taken_from_the_resources() -> None:
    resources = {
        "checkpoint_interval_rows": 5,
        "checkpoint_interval_bytes": "1kb",
        "checkpoint_interval_seconds": 7,
        "max_retries": 0,
    }
    loaded = load(minimal(resources=resources)).resources
    assert (loaded.checkpoint, loaded.max_retries) == (CheckpointInterval(5, 1024, 7), 0)
    defaults = load(minimal()).resources
    assert (defaults.checkpoint, defaults.max_retries) == (CheckpointInterval(0, 64 * 1024**2, 0), 3)


def test_transforms_keep_their_order_and_what_each_may_use() -> None:
    written = [
        {"use": "validate", "config": {"rules": []}, "limits": {"max_memory": "1mb"}},
        {"use": "sql", "config": {}, "permissions": {"network": {"allowed_hosts": []}}},
    ]
    assert load(minimal(transforms=written)).transforms == (
        ConnectorSpec("validate", {"rules": []}, limits=Limits(max_memory_bytes=MIB)),
        ConnectorSpec("sql", {}, Permissions(allowed_hosts=())),
    )
    assert load(minimal()).transforms == ()


def test_null_without_quotes_is_not_taken_for_an_empty_key() -> None:
    told = problems_of(minimal(destination__schema_evolution={"type_change": None}))
    assert told == [
        'destination.schema_evolution: type_change is empty; write "null", in quotes, or coerce or fail',
    ]
    null = load(minimal(destination__schema_evolution={"type_change": "null"}))
    assert null.streams[0].schema_evolution == SchemaEvolution(type_change=TypeChange.NULL)


@pytest.mark.parametrize(
    ("autotune", "expected"),
    [
        (True, Resources()),
        ({}, Resources()),
        (False, Resources(is_tuned=False)),
        ({"enabled": False, "parallelism": 2}, Resources(parallelism=2, is_tuned=False)),
        ({"partition_mode": "mod", "flush_bytes": "1mb"}, Resources(flush_bytes=MIB)),
    ],
)
def test_tuning_is_on_or_off_and_what_is_pinned_wins(autotune: object, expected: Resources) -> None:
    assert load(minimal(resources={"autotune": autotune})).resources == expected


def test_parallelism_is_pinned_once() -> None:
    for lanes in ("auto", 2):
        document = minimal(resources={"parallelism": lanes, "autotune": {"parallelism": 2}})
        assert load(document).resources == Resources(parallelism=2)
    assert problems_of(minimal(resources={"parallelism": 3, "autotune": {"parallelism": 2}})) == [
        "resources.autotune.parallelism: pins 2, and resources.parallelism is 3; keep one of them"
    ]


def test_tables_are_cut_in_one_of_the_known_ways() -> None:
    assert problems_of(minimal(resources={"autotune": {"partition_mode": "hash"}})) == [
        "resources.autotune.partition_mode: 'hash' is not one of range, mod"
    ]
