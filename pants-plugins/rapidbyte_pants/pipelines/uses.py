"""What connectors a pipeline document names, as the names of their packages.

The engine resolves `use:` by the same rule: a short name by where it stands, a path by its file.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import yaml

_PREFIXES = {"source": "source", "destination": "dest", "transforms": "transform"}


def connector_packages(content: bytes) -> frozenset[str]:
    """Find the connectors. A document that is wrong, as some tests need, names those that can be read from it."""
    document = _read(content)
    return frozenset(
        _package(prefix, node["use"])
        for key, prefix in _PREFIXES.items()
        for node in _nodes(document.get(key))
        if isinstance(node, dict) and isinstance(node.get("use"), str)
    )


def is_pipeline(content: bytes) -> bool:
    """Tell whether a YAML document looks like a pipeline."""
    return {"source", "destination"} <= _read(content).keys()


def _read(content: bytes) -> dict[str, Any]:
    try:
        document = yaml.safe_load(content)
    except yaml.YAMLError:
        return {}
    return document if isinstance(document, dict) else {}


def _nodes(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _package(prefix: str, use: str) -> str:
    return PurePosixPath(use).stem if use.endswith(".wasm") else f"{prefix}_{use}"
