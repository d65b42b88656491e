"""Problems of a config are all found, named by their path, and tell no secret."""

from __future__ import annotations

import pytest

from rapidbyte.wasm.config_schema import find_config_problems, find_unknown_keywords

_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["host", "user"],
    "properties": {
        "host": {"type": "string", "minLength": 1},
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "user": {"type": "string"},
        "password": {"type": "string", "writeOnly": True, "maxLength": 3, "pattern": "^[a-z]*$"},
        "mode": {"enum": ["copy", "insert"]},
        "tags": {"type": "array", "minItems": 1, "maxItems": 2, "items": {"type": ["string", "null"]}},
        "on": {"const": True},
        "free": {"type": "object", "additionalProperties": {"type": "number"}},
    },
}
_GOOD = {"host": "db", "user": "me"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"host": ""}, ("host", "it is empty")),
        ({"host": 5}, ("host", "it is integer, not string; put it in quotes")),
        ({"host": None}, ("host", "it is null, not string")),
        ({"port": "5432"}, ("port", "it is string, not integer; leave its quotes out")),
        ({"port": "5432.5"}, ("port", "it is string, not integer")),
        ({"port": "db"}, ("port", "it is string, not integer")),
        ({"port": True}, ("port", "it is boolean, not integer")),
        ({"port": 0}, ("port", "0 is less than 1")),
        ({"port": 65536}, ("port", "65536 is more than 65535")),
        ({"mode": "copi"}, ("mode", '"copi" is not one of "copy", "insert"')),
        ({"tags": []}, ("tags", "it has 0 items, fewer than 1")),
        ({"tags": ["a", "b", "c"]}, ("tags", "it has 3 items, more than 2")),
        ({"tags": ["a", 1]}, ("tags[1]", "it is integer, not string or null; put it in quotes")),
        ({"on": 1}, ("on", "1 is not true")),
        ({"free": {"x": "y"}}, ("free.x", "it is string, not number")),
        ({"hots": "db"}, ("hots", "unknown key; did you mean host?")),
        ({"zzzzzz": 1}, ("zzzzzz", "unknown key")),
        ({"password": "ABCD"}, ("password", "the value is longer than 3 characters")),
    ],
)
def test_a_wrong_value_is_named(changes: dict[str, object], problem: tuple[str, str]) -> None:
    assert find_config_problems(_SCHEMA, _GOOD | changes)[0] == problem


def test_a_good_config_has_no_problems() -> None:
    full = {"port": 5432.0, "password": "abc", "mode": "copy", "tags": [None], "on": True, "free": {"x": 1.5}}
    assert find_config_problems(_SCHEMA, _GOOD | full) == ()


def test_all_problems_are_found_together_and_no_secret_is_told() -> None:
    problems = find_config_problems(_SCHEMA, {"password": "SECRET", "port": 0})
    assert [path for path, _ in problems] == ["host", "user", "password", "password", "port"]
    assert "SECRET" not in str(problems)


def test_keywords_that_are_not_checked_are_named_wherever_they_stand() -> None:
    schema = {"properties": {"a": {"oneOf": []}}, "items": {"$ref": "#"}, "additionalProperties": {"not": {}}}
    assert find_unknown_keywords(schema) == (
        "config_schema.properties.a.oneOf",
        "config_schema.items.$ref",
        "config_schema.additionalProperties.not",
    )
