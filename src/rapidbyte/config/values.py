"""A pipeline given as Python values: the same tree as from a text, without lines and without substitution."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from rapidbyte.config.tree import MAX_DEPTH, Path, Place, Tree


def tree_of(document: Mapping[str, object]) -> Tree:
    """Return the tree of `document`; what JSON cannot hold becomes a problem, paths become text."""
    tree = Tree()
    tree.root = _value(tree, document, ())
    return tree


def _value(tree: Tree, value: object, path: Path) -> Any:
    tree.places[path] = Place()
    if len(path) > MAX_DEPTH:
        tree.report(path[:1], f"is nested more than {MAX_DEPTH} levels deep")
        return None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return _mapping(tree, value, path)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [_value(tree, item, (*path, index)) for index, item in enumerate(value)]
    tree.report(path, f"is a {type(value).__name__} that a pipeline cannot hold; use text, numbers, lists and mappings")
    return None


def _mapping(tree: Tree, value: Mapping[Any, object], path: Path) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(key, str):
            values[key] = _value(tree, item, (*path, key))
        else:
            tree.report(path, f"has a key of type {type(key).__name__}; keys are text")
    return values
