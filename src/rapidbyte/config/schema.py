"""The JSON Schema (2020-12) of a pipeline document, made from its models: for editors and other checkers.

It describes a document as it is written: a value that is not text may also be a reference such as `${PORT:-5432}`, and
an optional key may be empty. What joins several keys is left to `rapidbyte check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rapidbyte.config.descriptions import DESCRIPTIONS
from rapidbyte.config.document import Document, Section
from rapidbyte.model import JsonObject, Kind

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE = {"type": "string", "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}\n]*)?\}"}
_REFERRED = {"$ref": "#/$defs/Reference"}
_NULL = {"type": "null"}
_SECTIONS = {Kind.SOURCE: "Source", Kind.DESTINATION: "Destination", Kind.TRANSFORM: "Connector"}

Schema = dict[str, Any]


def document_schema(connectors: Mapping[Kind, Mapping[str, JsonObject]]) -> Schema:
    """Return the schema of a document. `connectors` has the config schemas of known connectors, by kind and name."""
    root: Schema = Document.model_json_schema()
    sections: dict[str, Schema] = root.pop("$defs")
    sections["Document"] = root
    described = {name: _section(name, part) for name, part in sections.items()}
    for kind, configs in connectors.items():
        rules = [_rule(name, config) for name, config in sorted(configs.items())]
        if rules:
            described[_SECTIONS[kind]]["allOf"] = rules
    document = described.pop("Document")
    return {
        "$schema": DIALECT,
        "title": "A pipeline of rapidbyte",
        **document,
        "$defs": described | {"Reference": _REFERENCE},
    }


def description_of(model: type[BaseModel], key: str) -> str:
    """Return what a key is for; it may be described where its section's base is."""
    names = (f"{section.__name__}.{key}" for section in model.__mro__)
    return next(DESCRIPTIONS[name] for name in names if name in DESCRIPTIONS)


def _section(name: str, schema: Schema) -> Schema:
    schema.pop("title", None)
    schema.pop("description", None)  # of the class, for programmers
    if "properties" not in schema:
        return _as_written(schema)
    model = _models()[name]
    required = schema.get("required", ())
    for key, part in schema["properties"].items():
        part.pop("title", None)
        if part.get("default", "") is None:
            del part["default"]
        schema["properties"][key] = _key(part, description_of(model, key), is_required=key in required)
    return schema


def _key(schema: Schema, description: str, *, is_required: bool) -> Schema:
    default = {"default": schema.pop("default")} if "default" in schema else {}
    written = _as_written(schema)
    if not is_required and _NULL not in written.get("anyOf", ()):
        written = {"anyOf": [*written.get("anyOf", [written]), _NULL]}
    return {"description": description, **default, **written}


def _as_written(schema: Schema) -> Schema:
    """Return `schema` with a reference wherever a value is no free text."""
    if "anyOf" in schema:
        parts = [part for choice in schema["anyOf"] for part in _choices(_as_written(choice))]
        return {**schema, "anyOf": [part for n, part in enumerate(parts) if part not in parts[:n]]}
    if schema.get("type") == "array":
        return {"anyOf": [{**schema, "items": _as_written(schema.get("items", {}))}, _REFERRED]}
    if schema.get("type") == "object":
        properties = {key: _as_written(part) for key, part in schema.get("properties", {}).items()}
        return {**schema, "properties": properties} if properties else schema
    is_constrained = "enum" in schema or "const" in schema or schema.get("type") in ("integer", "number", "boolean")
    if is_constrained or (schema.get("pattern") not in (None, r"\S")):
        return {"anyOf": [schema, _REFERRED]}
    return schema


def _choices(schema: Schema) -> list[Schema]:
    return schema["anyOf"] if set(schema) == {"anyOf"} else [schema]


def _rule(name: str, config: JsonObject) -> Schema:
    """Return what holds for the config of a connector's name."""
    written = _as_written({key: value for key, value in config.items() if key != "$schema"})
    condition = {"properties": {"use": {"const": name}}, "required": ["use"]}
    return {"if": condition, "then": {"properties": {"config": written}}}


def _models() -> Mapping[str, type[BaseModel]]:
    """Return the sections of a document by the names of their classes."""
    found: dict[str, type[BaseModel]] = {}
    waiting = Section.__subclasses__()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        found[model.__name__] = model
    return found
