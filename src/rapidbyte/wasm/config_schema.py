"""Checking a connector's config against the JSON Schema of its manifest.

The keywords below are all that connectors need and that a person can be told about in one sentence each; a schema that
uses another one is refused when the manifest is read, so that nothing is silently left unchecked. (The general
validator costs 100 ms at every start.)
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

_ANNOTATIONS = frozenset(
    ("$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
)
_CHECKED = frozenset(
    (
        *("type", "enum", "const", "properties", "required", "additionalProperties", "items"),
        *("minLength", "maxLength", "pattern", "minimum", "maximum", "minItems", "maxItems"),
    )
)
_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "null": (type(None),),
    "integer": (int,),
    "number": (int, float),
}

Schema = Mapping[str, Any]
Problem = tuple[str, str]  # path within the config, and what is wrong there


def find_unknown_keywords(schema: object, path: str = "config_schema") -> tuple[str, ...]:
    """Name the keywords of a schema that this module does not check."""
    if isinstance(schema, bool):
        return ()
    if not isinstance(schema, dict):
        return (f"{path} (not a schema)",)
    found = [f"{path}.{keyword}" for keyword in schema if keyword not in _ANNOTATIONS | _CHECKED]
    for name, part in schema.get("properties", {}).items():
        found += find_unknown_keywords(part, f"{path}.properties.{name}")
    for keyword in ("items", "additionalProperties"):
        found += find_unknown_keywords(schema.get(keyword, True), f"{path}.{keyword}")
    return tuple(found)


def find_config_problems(schema: object, value: object, path: str = "") -> tuple[Problem, ...]:
    """Return everything in `value` that the schema forbids; values of secrets are never repeated."""
    return tuple(_problems(schema, value, path))


def _problems(schema: object, value: object, path: str) -> Iterator[Problem]:
    if isinstance(schema, bool):
        if not schema:
            yield path, "nothing is allowed here"
        return
    assert isinstance(schema, dict)  # find_unknown_keywords has seen it
    wrong_type = _wrong_type(schema, value)
    if wrong_type is not None:
        yield path, wrong_type
        return
    shown = "the value" if _is_secret(schema) else json.dumps(value, default=str)
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield path, f"{shown} is not one of {', '.join(map(json.dumps, schema['enum']))}"
    if "const" in schema and not _same(value, schema["const"]):
        yield path, f"{shown} is not {json.dumps(schema['const'])}"
    if isinstance(value, str):
        yield from ((path, problem) for problem in _text_problems(schema, value, shown))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if value < schema.get("minimum", value):
            yield path, f"{shown} is less than {schema['minimum']}"
        if value > schema.get("maximum", value):
            yield path, f"{shown} is more than {schema['maximum']}"
    elif isinstance(value, dict):
        yield from _object_problems(schema, value, path)
    elif isinstance(value, list):
        yield from _array_problems(schema, value, path)


def _text_problems(schema: Schema, value: str, shown: str) -> Iterator[str]:
    if len(value) < schema.get("minLength", 0):
        yield "it is empty" if not value else f"{shown} is shorter than {schema['minLength']} characters"
    if len(value) > schema.get("maxLength", len(value)):
        yield f"{shown} is longer than {schema['maxLength']} characters"
    if "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield f"{shown} does not match {schema['pattern']}"


def _object_problems(schema: Schema, value: dict[str, object], path: str) -> Iterator[Problem]:
    properties = schema.get("properties", {})
    rest = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield _join(path, name), "it is missing"
    for name, part in value.items():
        if name not in properties and rest is False:
            near = difflib.get_close_matches(str(name), properties, n=1)
            yield _join(path, name), f"unknown key; did you mean {near[0]}?" if near else "unknown key"
        else:
            yield from _problems(properties.get(name, rest), part, _join(path, name))


def _array_problems(schema: Schema, value: list[object], path: str) -> Iterator[Problem]:
    if len(value) < schema.get("minItems", 0):
        yield path, f"it has {len(value)} items, fewer than {schema['minItems']}"
    if len(value) > schema.get("maxItems", len(value)):
        yield path, f"it has {len(value)} items, more than {schema['maxItems']}"
    for position, item in enumerate(value):
        yield from _problems(schema.get("items", True), item, f"{path}[{position}]")


def _wrong_type(schema: Schema, value: object) -> str | None:
    if "type" not in schema:
        return None
    names = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    if any(_is_a(value, name) for name in names):
        return None
    return f"it is {_name_of(value)}, not {' or '.join(names)}{_remedy(names, value)}"


def _remedy(names: Sequence[str], value: object) -> str:
    """Say how to write a value that is another one for its quotes alone."""
    if isinstance(value, (int, float)) and "string" in names:
        return "; put it in quotes"
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            unquoted = json.loads(value)
            return "; leave its quotes out" if any(_is_a(unquoted, name) for name in names) else ""
    return ""


def _is_a(value: object, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    if name == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[name])


def _name_of(value: object) -> str:
    return next((name for name in _TYPES if _is_a(value, name)), type(value).__name__)


def _same(left: object, right: object) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def _is_secret(schema: object) -> bool:
    return isinstance(schema, dict) and schema.get("writeOnly") is True


def _join(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)
