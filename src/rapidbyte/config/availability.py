"""What of the document this version cannot run yet: said plainly, never ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rapidbyte.config.problems import quoted
from rapidbyte.config.sizes import parse_size
from rapidbyte.config.tree import Path, Tree

_EACH = "*"  # every item of a list


@dataclass(frozen=True, slots=True)
class Rule:
    """The values at `path` that this version runs; none for a key that it does not."""

    path: tuple[str, ...]
    accepted: tuple[object, ...] = ()


_STREAM = ("source", "streams", _EACH)
RULES = (
    Rule((*_STREAM, "sync_mode"), ("full_refresh",)),
    Rule((*_STREAM, "cursor_field")),
    Rule((*_STREAM, "tie_breaker_field")),
    Rule((*_STREAM, "null_cursor"), ("fail",)),
    Rule((*_STREAM, "cursor_lag"), (0,)),
    Rule((*_STREAM, "partition_key")),
    Rule((*_STREAM, "primary_key")),
    Rule((*_STREAM, "write_mode"), ("append",)),
    Rule(("transforms",), ([],)),
    Rule(("destination", "write_mode"), ("append",)),
    Rule(("destination", "primary_key")),
    Rule(("destination", "on_data_error"), ("fail",)),
    Rule(("destination", "schema_evolution", "new_column"), ("add",)),
    Rule(("destination", "schema_evolution", "removed_column"), ("ignore",)),
    Rule(("destination", "schema_evolution", "type_change"), ("fail",)),
    Rule(("destination", "schema_evolution", "nullability_change"), ("allow",)),
    Rule(("resources", "checkpoint_interval_bytes"), (64 * 1024**2,)),
    Rule(("resources", "checkpoint_interval_rows"), (0,)),
    Rule(("resources", "checkpoint_interval_seconds"), (0,)),
    Rule(("resources", "max_retries"), (3,)),
    Rule(("resources", "autotune", "parallelism")),
    Rule(("resources", "autotune", "partition_mode")),
    Rule(("resources", "autotune", "flush_bytes")),
)


def report_unavailable(tree: Tree, bad: set[Path]) -> None:
    """Add a problem for every value that is right but not available; the paths in `bad` are wrong already."""
    for rule in RULES:
        for path, value in _at(tree.root, rule.path, ()):
            if value is None or _comparable(rule, value) in rule.accepted or _is_touched(path, bad):
                continue
            if not rule.accepted or isinstance(value, list):
                tree.report(path, "is not available in this version; remove it", tree.key_place(path))
            else:
                usable = "" if isinstance(value, (int, float)) else f"; use {rule.accepted[0]}"
                usable = usable or "; remove the key"
                tree.report(path, f"{quoted(value, tree.place(path))} is not available in this version{usable}")


def _at(value: Any, pattern: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    if not pattern:
        yield path, value
    elif pattern[0] == _EACH:
        for index, item in enumerate(value if isinstance(value, list) else ()):
            yield from _at(item, pattern[1:], (*path, index))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _at(value[pattern[0]], pattern[1:], (*path, pattern[0]))


def _comparable(rule: Rule, value: object) -> object:
    if rule.path[-1].endswith("_bytes") and isinstance(value, str):
        try:
            return parse_size(value)
        except ValueError:
            return value
    return value


def _is_touched(path: Path, bad: set[Path]) -> bool:
    return any(path[: len(other)] == other or other[: len(path)] == path for other in bad)
