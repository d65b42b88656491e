"""What of the document this version cannot run yet: said plainly, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rapidbyte.config.tree import Path, Tree
from rapidbyte.model import SyncMode


def report_unavailable(tree: Tree, bad: set[Path]) -> None:
    """Add a problem for every value that is right but not available; the paths in `bad` are wrong already."""
    for path, problem in _unavailable_changes(_mapping(tree.root)):
        if not _is_touched(path, bad):
            tree.report(path, problem)


def _unavailable_changes(root: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield what streams of changes cannot be joined with."""
    streams = _mapping(root.get("source")).get("streams")
    for index, item in enumerate(streams if isinstance(streams, list) else ()):
        stream, path = _mapping(item), ("source", "streams", index, "sync_mode")
        if stream.get("sync_mode") != SyncMode.CDC.value:
            continue
        if root.get("transforms"):
            yield path, "cdc with transforms is not available in this version; remove them"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_touched(path: Path, bad: set[Path]) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in bad)
