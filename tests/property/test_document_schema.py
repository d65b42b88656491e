"""The JSON Schema never refuses a document that rapidbyte takes: it may be laxer, never stricter."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from rapidbyte.config import document_schema, load
from rapidbyte.errors import DocumentError

_VALIDATOR = Draft202012Validator(document_schema({}))
_WORDS = st.sampled_from(
    (
        *("a", " a ", "auto", "1.0", "64mb", " 1 KB\n", "full_refresh", "append", "none", "zstd", "sqlite", "fail"),
        *("add", "db.example.com", "*.example.com", "*", "HOME", "/srv", "null", "", "\t", "\u00a0"),
    )
)
_NUMBERS = st.sampled_from((0, 1, -1, 1.5, 0.0, 1024, 2**62, 1e16, True, False))
_SCALARS = st.none() | _WORDS | _NUMBERS | st.text(max_size=3)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS, inner, max_size=2), max_leaves=4
)
_CONNECTOR = (
    ("use",),
    ("config",),
    ("permissions",),
    *(("permissions", *rest) for rest in (("network",), ("network", "allowed_hosts"), ("env", "allowed_vars"))),
    ("permissions", "fs", "allowed_preopens"),
    ("limits",),
    ("limits", "max_memory"),
    ("limits", "timeout_seconds"),
)
_STREAM = ("name", "sync_mode", "columns", "primary_key", "write_mode", "cursor_field", "null_cursor", "cursor_lag")
_RESOURCES = (
    *("parallelism", "max_memory", "max_batch_bytes", "max_inflight_batches", "checkpoint_interval_bytes"),
    *("checkpoint_interval_rows", "checkpoint_interval_seconds", "max_retries", "compression", "autotune"),
)
_EVOLUTION = ("new_column", "removed_column", "type_change", "nullability_change")
_PATHS: st.SearchStrategy[tuple[str | int, ...]] = st.sampled_from(
    (
        *((key,) for key in ("version", "pipeline", "transforms", "state", "resources")),
        *((side, *rest) for side in ("source", "destination") for rest in _CONNECTOR),
        *(("source", "streams", 0, key) for key in _STREAM),
        *(("destination", key) for key in ("write_mode", "primary_key", "on_data_error", "schema_evolution")),
        *(("destination", "schema_evolution", key) for key in _EVOLUTION),
        *(("state", key) for key in ("backend", "connection", "max_dead_letters")),
        *(("resources", key) for key in _RESOURCES),
        *(("resources", "autotune", key) for key in ("enabled", "parallelism", "partition_mode", "flush_bytes")),
    )
)


def document_with(changes: dict[tuple[str | int, ...], Any]) -> Any:
    """Return a document with values put at paths, but those that lead through something else."""
    document: Any = {
        "version": "1.0",
        "pipeline": "p",
        "source": {"use": "a", "config": {}, "streams": [{"name": "t", "sync_mode": "full_refresh"}]},
        "destination": {"use": "b", "config": {}, "write_mode": "append"},
    }
    for path, value in changes.items():
        section = document
        for part in path[:-1]:
            if isinstance(section, dict):
                section = section.setdefault(part, {})
            elif isinstance(section, list) and section and isinstance(part, int):
                section = section[part]
        if isinstance(section, dict):
            section[path[-1]] = value
    return document


@given(st.dictionaries(_PATHS, _VALUES, max_size=3))
def test_a_document_that_loads_conforms_to_the_schema(changes: dict[tuple[str | int, ...], Any]) -> None:
    document = document_with(changes)
    try:
        load(document)
    except DocumentError:
        return
    assert [error.message for error in _VALIDATOR.iter_errors(document)] == []
