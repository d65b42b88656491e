"""What pydantic found wrong in a document, said in the words of its author."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from rapidbyte.config.document import OWN_ERROR, Connector, Document
from rapidbyte.config.tree import Path, Place, Tree

_SHOWN_CHARS = 40
_FIRST_KEYS: dict[int | str, str] = {
    "streams": "name",
    "transforms": "use",
}  # of a list of sections: what each begins with
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


def report(error: ValidationError, tree: Tree) -> set[Path]:
    """Add the problems of `error` to the tree; return the paths of those values."""
    bad: set[Path] = set()
    for details in error.errors(include_url=False):
        path = _real_path(details["loc"], tree)
        bad.add(path)
        kind = details["type"]
        if kind == "missing":
            tree.report(path, "is required", tree.key_place(path[:-1]))
        elif kind == "extra_forbidden":
            tree.report(path, _unknown_key(path, tree), tree.key_place(path))
        else:
            tree.report(path, _message(details, path, tree))
    return bad


def quoted(value: object, place: Place) -> str:
    """Return `value` for a message, or the variables it came from: their text may be a secret."""
    if place.variables:
        return "the text of " + ", ".join(f"${{{name}}}" for name in place.variables)
    if not isinstance(value, (str, int, float)):
        return _kind_of(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{text}'" if len(text) <= _SHOWN_CHARS else f"'{text[:_SHOWN_CHARS]}…'"


def nearest(word: str, known: tuple[str, ...]) -> str:
    """Return `; did you mean 'x'?` for the known word that `word` is close to, or nothing."""
    match = difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"; did you mean '{match[0]}'?" if match else ""


def _message(details: ErrorDetails, path: Path, tree: Tree) -> str:
    kind, value, place = details["type"], details["input"], tree.place(path)
    context = details.get("ctx", {})
    if path == ("version",) and isinstance(value, str):
        return f"Unsupported pipeline version {quoted(value, place)}, expected '1.0'"
    if path == ("version",):
        return 'must be "1.0", in quotes'
    if kind in ("enum", "literal_error"):
        return _not_among(value, str(context["expected"]), place)
    if kind in _KINDS:
        return f"must be {_wanted(kind, path)}, not {_kind_of(value)}{_remedy(kind, value, path, place)}"
    if kind == OWN_ERROR:
        return details["msg"]
    if kind == "too_short":
        return "must not be an empty list"
    if kind == "greater_than":
        return f"must be more than {context['gt']:g}"
    if kind == "greater_than_equal":
        return f"must be at least {context['ge']}"
    if kind == "less_than_equal":
        return f"must be at most {context['le']}"
    return "is not a valid value"


def _not_among(value: object, expected: str, place: Place) -> str:
    known = tuple(word for word in expected.replace(" or ", ", ").replace("'", "").split(", ") if word)
    hint = nearest(value, known) if isinstance(value, str) and not place.variables else ""
    return f"{quoted(value, place)} is not one of {', '.join(known)}{hint}"


def _kind_of(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, float) and not value.is_integer():
        return "a fraction"
    if isinstance(value, (int, float)):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "a list" if isinstance(value, list) else "a mapping"


def _wanted(kind: str, path: Path) -> str:
    return "true, false or a mapping" if path == ("resources", "autotune") else _KINDS[kind]


def _remedy(kind: str, value: object, path: Path, place: Place) -> str:
    """Return how the value would be written, where it is clear what was meant."""
    if kind == "string_type" and isinstance(value, (bool, int, float)):
        return "; put it in quotes"
    if kind == "list_type" and path[-1] in _FIRST_KEYS:
        return f"; begin each with a dash: `- {_FIRST_KEYS[path[-1]]}: ...`"
    if kind == "list_type" and isinstance(value, str) and not place.variables and len(value) <= _SHOWN_CHARS:
        return f"; write [{value}]"
    if isinstance(value, str) and len(path) > 1 and path[-2] in _FIRST_KEYS:
        return f"; write `- {_FIRST_KEYS[path[-2]]}: ...`"
    return ""


def _unknown_key(path: Path, tree: Tree) -> str:
    if tree.key_place(path).variables:
        return "is not a known key"
    key = str(path[-1])
    model = _model_at(path[:-1])
    hint = nearest(key, tuple(model.model_fields)) if model is not None else ""
    if not hint:
        homes = [home for home, name in _all_keys(Document, "") if name == key]
        hint = f"; it belongs under {' or '.join(homes)}" if 0 < len(homes) <= 3 and all(homes) else ""
    if not hint and model is not None and issubclass(model, Connector):
        hint = f"; a setting of the connector belongs under {tree.show(path[:-1])}.config"
    return f"is not a known key{hint}"


def _real_path(location: tuple[int | str, ...], tree: Tree) -> Path:
    """Return `location` without what pydantic appends for the branch of a union."""
    path = tuple(location)
    while path and path not in tree.places and path[:-1] not in tree.places:
        path = path[:-1]
    return path


def _model_at(path: Path) -> type[BaseModel] | None:
    model: type[BaseModel] | None = Document
    for part in path:
        if isinstance(part, int):
            continue
        if model is None or part not in model.model_fields:
            return None
        model = _section_of(model.model_fields[part].annotation)
    return model


def _section_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation if issubclass(annotation, BaseModel) else None
    return next((found for arg in get_args(annotation) if (found := _section_of(arg)) is not None), None)


def _all_keys(model: type[BaseModel], home: str) -> Iterator[tuple[str, str]]:
    for name, info in model.model_fields.items():
        yield home, name
        section = _section_of(info.annotation)
        if section is not None:
            yield from _all_keys(section, f"{home}.{name}" if home else name)
