"""What of the document this version cannot run yet: said plainly, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rapidbyte.config.problems import quoted
from rapidbyte.config.tree import Path, Tree

_EACH = "*"  # every item of a list


@dataclass(frozen=True, slots=True)
class Rule:
    """The values at `path` that this version runs; none for a key that it does not."""

    path: tuple[str, ...]
    accepted: tuple[object, ...] = ()


_STREAM = ("source", "streams", _EACH)
RULES = (Rule((*_STREAM, "sync_mode"), ("full_refresh", "incremental")),)


def report_unavailable(tree: Tree, bad: set[Path]) -> None:
    """Add a problem for every value that is right but not available; the paths in `bad` are wrong already."""
    for rule in RULES:
        for path, value in _at(tree.root, rule.path, ()):
            if value is None or value in rule.accepted or _is_touched(path, bad):
                continue
            if not rule.accepted or isinstance(value, list):
                tree.report(path, "is not available in this version; remove it", tree.key_place(path))
            else:
                usable = " or ".join(map(str, rule.accepted))
                tree.report(path, f"{quoted(value, tree.place(path))} is not available in this version; use {usable}")


def _at(value: Any, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, value
    elif pattern[0] == _EACH:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _at(item, pattern[1:], (*path, index))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _at(value[pattern[0]], pattern[1:], (*path, pattern[0]))


def _is_touched(path: Path, bad: set[Path]) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in bad)
