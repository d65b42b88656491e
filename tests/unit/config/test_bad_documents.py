"""A table of wrong documents: each gives one typed error, at the path that is wrong, with what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from rapidbyte.config import load
from rapidbyte.errors import Category, DocumentError
from unit.config.documents import minimal

_INCREMENTAL = {"name": "users", "sync_mode": "incremental", "cursor_field": "id"}


def _stream(**keys: object) -> dict[str, Any]:
    return {"source__streams": [{"name": "users", "sync_mode": "full_refresh", **keys}]}


BAD_DOCUMENTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("version of the future", {"version": "2.0"}, "version", "expected '1.0'"),
    ("version without quotes", {"version": 1.0}, "version", "in quotes"),
    ("no name", {"pipeline": None}, "pipeline", "is required"),
    ("blank name", {"pipeline": "\t"}, "pipeline", "must not be blank"),
    ("unknown section", {"sources": {}}, "sources", "did you mean 'source'?"),
    ("key at a wrong place", {"write_mode": "append"}, "write_mode", "it belongs under source.streams or destination"),
    ("no streams", {"source__streams": []}, "source.streams", "must not be an empty list"),
    ("streams that are no list", {"source__streams": "users"}, "source.streams", "must be a list"),
    ("stream without a mode", {"source__streams": [{"name": "a"}]}, "source.streams[0].sync_mode", "is required"),
    ("unknown mode", _stream(sync_mode="full"), "source.streams[0].sync_mode", "one of full_refresh, incremental, cdc"),
    ("misspelt key", _stream(colums=["id"]), "source.streams[0].colums", "did you mean 'columns'?"),
    ("no columns", _stream(columns=[]), "source.streams[0].columns", "must not be an empty list"),
    ("column twice", _stream(columns=["id", "id"]), "source.streams[0].columns", "keep one"),
    ("no cursor", _stream(sync_mode="incremental"), "source.streams[0].cursor_field", "name a column"),
    (
        "cursor twice",
        {"source__streams": [{**_INCREMENTAL, "tie_breaker_field": "id"}]},
        "source.streams[0].tie_breaker_field",
        "name another column",
    ),
    (
        "cursor that is not read",
        {"source__streams": [{**_INCREMENTAL, "columns": ["name"]}]},
        "source.streams[0].cursor_field",
        "add it to columns",
    ),
    (
        "replace by the newest rows",
        {"source__streams": [{**_INCREMENTAL, "write_mode": "replace"}]},
        "source.streams[0].write_mode",
        "use append or upsert",
    ),
    (
        "key that is not read",
        _stream(columns=["name"], primary_key=["id"], write_mode="upsert"),
        "source.streams[0].columns",
        "add it",
    ),
    (
        "partition of changes",
        {"source__streams": [{"name": "users", "sync_mode": "cdc", "partition_key": "id"}]},
        "source.streams[0].partition_key",
        "remove it",
    ),
    ("lag without a cursor", _stream(cursor_lag=1), "source.streams[0].cursor_lag", "remove it"),
    (
        "negative lag",
        {"source__streams": [{**_INCREMENTAL, "cursor_lag": -1}]},
        "source.streams[0].cursor_lag",
        "least",
    ),
    ("unknown write mode", {"destination__write_mode": "merge"}, "destination.write_mode", "append, replace, upsert"),
    ("unknown policy", {"destination__on_data_error": "drop"}, "destination.on_data_error", "fail, skip, dlq"),
    (
        "unknown evolution",
        {"destination__schema_evolution": {"new_column": "null"}},
        "destination.schema_evolution.new_column",
        "add, ignore, fail",
    ),
    (
        "scheme in a host",
        {"source__permissions": {"network": {"allowed_hosts": ["tcp://db"]}}},
        "source.permissions.network.allowed_hosts[0]",
        "write the host only",
    ),
    (
        "star in the middle",
        {"source__permissions": {"network": {"allowed_hosts": ["db.*.net"]}}},
        "source.permissions.network.allowed_hosts[0]",
        "as in *.example.com",
    ),
    ("memory of nothing", {"source__limits": {"max_memory": 0}}, "source.limits.max_memory", "at least 1"),
    ("no size", {"source__limits": {"max_memory": "64 MiB"}}, "source.limits.max_memory", "such as 64mb"),
    ("no time", {"source__limits": {"timeout_seconds": 0}}, "source.limits.timeout_seconds", "more than 0"),
    ("no lanes", {"resources": {"parallelism": 0}}, "resources.parallelism", "at least 1"),
    ("lanes in words", {"resources": {"parallelism": "max"}}, "resources.parallelism", "auto or a whole number"),
    (
        "batch over the memory",
        {"resources": {"max_memory": "1mb"}},
        "resources.max_batch_bytes",
        "lower it or raise max_memory",
    ),
    ("negative retries", {"resources": {"max_retries": -1}}, "resources.max_retries", "at least 0"),
    ("unknown packing", {"resources": {"compression": "gzip"}}, "resources.compression", "none, lz4, zstd"),
    ("state nowhere", {"state": {"backend": "postgres"}}, "state.connection", "write postgresql://"),
    ("state in a URI", {"state": {"connection": "postgres://h/d"}}, "state.connection", "set backend: postgres"),
    ("config in a word", {"destination__config": "db"}, "destination.config", "must be a mapping"),
    ("connector without a name", {"destination__use": " "}, "destination.use", "must not be blank"),
    ("names of tables", {"source__streams": ["users"]}, "source.streams[0]", "not text; write `- name: ...`"),
    (
        "stream without a dash",
        {"source__streams": {"name": "users", "sync_mode": "full_refresh"}},
        "source.streams",
        "not a mapping; begin each with a dash: `- name: ...`",
    ),
    ("transform without a dash", {"transforms": {"use": "sql"}}, "transforms", "begin each with a dash: `- use: ...`"),
    ("key that is no list", _stream(primary_key="id"), "source.streams[0].primary_key", "not text; write [id]"),
    (
        "columns with commas",
        _stream(columns="id, name"),
        "source.streams[0].columns",
        "not text; write [id, name]",
    ),
    ("setting outside config", {"source__host": "db"}, "source.host", "belongs under source.config"),
    (
        "policy of one stream",
        _stream(on_data_error="skip"),
        "source.streams[0].on_data_error",
        "it belongs under destination",
    ),
    (
        "table twice",
        {"source__streams": [{"name": "users", "sync_mode": "full_refresh"}] * 2},
        "source.streams[1].name",
        "name each stream once",
    ),
    (
        "half a second",
        {"resources": {"checkpoint_interval_seconds": 0.5}},
        "resources.checkpoint_interval_seconds",
        "must be a whole number, not a fraction",
    ),
    ("size in megs", {"resources": {"max_memory": "64m"}}, "resources.max_memory", "such as 64mb"),
    ("time with its unit", {"source__limits": {"timeout_seconds": "5m"}}, "source.limits.timeout_seconds", "a number"),
    ("switch in words", {"resources": {"autotune": "yes"}}, "resources.autotune", "must be true, false or a mapping"),
    ("packing on", {"resources": {"compression": True}}, "resources.compression", "'true' is not one of none, lz4"),
    (
        "name with a dash",
        {"source__streams": [{"name": "a", "sync-mode": "full_refresh"}]},
        "source.streams[0].sync-mode",
        "did you mean 'sync_mode'?",
    ),
    ("state in a word", {"state": "sqlite"}, "state", "must be a mapping, not text"),
]


@pytest.mark.parametrize(
    ("change", "path", "remedy"), [row[1:] for row in BAD_DOCUMENTS], ids=[row[0] for row in BAD_DOCUMENTS]
)
def test_wrong_document_is_a_typed_error_at_its_path(change: dict[str, Any], path: str, remedy: str) -> None:
    with pytest.raises(DocumentError) as caught:
        load(minimal(**change))
    error = caught.value
    assert (error.category, error.code, error.retryable) == (Category.CONFIG, "invalid_document", False)
    told = [problem.message for problem in error.problems if problem.path == path]
    assert [remedy in message for message in told] == [True]
