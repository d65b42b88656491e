"""Rules for what permissions name: hosts, variables, directories. They look at the raw tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rapidbyte.config.problems import quoted
from rapidbyte.config.tree import Path, Tree
from rapidbyte.host_patterns import explain_bad_pattern

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _bad_variable(name: str) -> str | None:
    return None if _VARIABLE.fullmatch(name) else "it is not the name of a variable: letters, digits and _"


def _bad_directory(path: str) -> str | None:
    return None if path.startswith("/") else "it is not an absolute path"


_RULES: Mapping[tuple[str, str], Callable[[str], str | None]] = {
    ("network", "allowed_hosts"): explain_bad_pattern,
    ("env", "allowed_vars"): _bad_variable,
    ("fs", "allowed_preopens"): _bad_directory,
}


def permission_findings(tree: Tree) -> Iterator[tuple[Path, str]]:
    """Yield each name in a permission that cannot be used, and each that stands twice."""
    for home in _connectors(tree.root):
        for rule, explain in _RULES.items():
            path = (*home, "permissions", *rule)
            names = _at(tree.root, path)
            for index, name in enumerate(names if isinstance(names, list) else ()):
                if not isinstance(name, str) or not name.strip():
                    continue
                place = (*path, index)
                why = explain(name)
                if why is not None:
                    yield place, f"{quoted(name, tree.place(place))} cannot be used: {why}"
                elif name in names[:index]:
                    yield place, f"{quoted(name, tree.place(place))} stands twice; keep one"


def _connectors(root: Any) -> Iterator[Path]:
    yield ("source",)
    transforms = _at(root, ("transforms",))
    for index in range(len(transforms) if isinstance(transforms, list) else 0):
        yield ("transforms", index)
    yield ("destination",)


def _at(value: Any, path: Path) -> Any:
    for part in path:
        if isinstance(part, int) and isinstance(value, list):
            value = value[part]
        elif isinstance(part, str) and isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value
