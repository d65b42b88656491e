"""The JSON Schema of documents: its verdicts on right and wrong ones, and that it describes every key."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from rapidbyte.config import document_schema
from rapidbyte.config.descriptions import DESCRIPTIONS
from rapidbyte.config.document import Section
from rapidbyte.model import Kind
from unit.config.documents import MINIMAL, minimal

_SERVER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["host", "user", "database"],
    "properties": {
        "host": {"type": "string", "minLength": 1},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "user": {"type": "string"},
        "database": {"type": "string"},
    },
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = document_schema({Kind.SOURCE: {"postgres": _SERVER}, Kind.DESTINATION: {"postgres": _SERVER}})
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def complete(**changes: object) -> dict[str, object]:
    """Return a document whose connectors' configs are complete."""
    server = {"host": "db", "user": "ada", "database": "shop"}
    return minimal(**{"source__config": server, "destination__config": server, **changes})


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"resources": {"parallelism": "auto", "max_memory": "1 GB", "max_retries": 0, "autotune": False}},
        {"resources": {"parallelism": "${LANES:-2}", "max_memory": 1048576, "autotune": {"enabled": "${TUNE}"}}},
        {"resources": None, "state": None, "transforms": None, "source__limits": {"max_memory": None}},
        {"source__streams": [{"name": "a.b", "sync_mode": "incremental", "cursor_field": "id", "cursor_lag": 0.5}]},
        {"source__permissions": {"network": {"allowed_hosts": []}}, "source__limits": {"timeout_seconds": 1.5}},
        {"state": {"backend": "postgres", "connection": "${DSN}", "max_dead_letters": 5}},
        {"source__config": {"host": "db", "user": "ada", "database": "shop", "port": "${PORT:-5432}"}},
        {"source__use": "./mine.wasm", "source__config": {"anything": [1]}},
        {"destination__schema_evolution": {"type_change": "null"}, "destination__primary_key": ["id"]},
    ],
)
def test_right_document_is_accepted(validator: Draft202012Validator, change: dict[str, Any]) -> None:
    assert [error.message for error in validator.iter_errors(complete(**change))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2.0"},
        {"version": 1.0},
        {"pipeline": " "},
        {"pipeline": None},
        {"sauce": 1},
        {"source": []},
        {"source__config": "secret"},
        {"source__config": {"host": "db", "user": "ada", "database": "shop", "pasword": "x"}},
        {"source__config": {"host": "db", "user": "ada", "database": "shop", "port": 0}},
        {"source__config": {"host": "db", "user": "ada"}},
        {"source__streams": []},
        {"source__streams": [{"name": "users"}]},
        {"source__streams": [{"name": "users", "sync_mode": "all"}]},
        {"source__streams": [{"name": "users", "sync_mode": "cdc", "columns": ["a", "a"]}]},
        {"source__streams": [{"name": "users", "sync_mode": "cdc", "columns": []}]},
        {"source__use": True},
        {"source__write_mode": "append"},
        {"source__permissions": {"network": {"allowed_hosts": [3]}}},
        {"source__limits": {"max_memory": "12xb"}},
        {"source__limits": {"max_memory": 0}},
        {"source__limits": {"timeout_seconds": 0}},
        {"destination__write_mode": "replac"},
        {"destination__on_data_error": "ignore"},
        {"destination__schema_evolution": {"new_column": "null"}},
        {"resources": {"parallelism": "many"}},
        {"resources": {"parallelism": 0}},
        {"resources": {"max_inflight_batches": 1.5}},
        {"resources": {"compression": "LZ4"}},
        {"resources": {"autotune": "yes"}},
        {"state": {"backend": "mysql"}},
    ],
)
def test_wrong_document_is_refused(validator: Draft202012Validator, change: dict[str, Any]) -> None:
    assert not validator.is_valid(complete(**change))


def test_minimal_document_conforms_without_known_connectors() -> None:
    assert Draft202012Validator(document_schema({})).is_valid(yaml.safe_load(MINIMAL))


def test_every_key_has_a_description_and_every_description_a_key() -> None:
    waiting, keys = Section.__subclasses__(), set()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        keys |= {f"{model.__name__}.{key}" for key in model.__annotations__}
    assert set(DESCRIPTIONS) == keys
