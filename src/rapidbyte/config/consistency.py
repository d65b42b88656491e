"""Rules that join several values of a document. They look at the raw tree, so that they speak beside other problems."""

from __future__ import annotations

from typing import Any

from rapidbyte.config.document import ResourcesSection
from rapidbyte.config.problems import quoted
from rapidbyte.config.sizes import parse_size
from rapidbyte.config.tree import Path, Tree
from rapidbyte.model import StateBackend


def report_contradictions(tree: Tree, bad: set[Path]) -> None:
    """Add a problem for values that are right alone and wrong together; the paths in `bad` are wrong already."""
    _check_unique_streams(tree)
    _check_state_is_named(tree)
    if not any(path[:1] == ("resources",) for path in bad):
        _check_batch_fits(tree)


def _check_unique_streams(tree: Tree) -> None:
    first: dict[str, int] = {}
    streams = _get(tree.root, "source", "streams")
    for index, stream in enumerate(streams if isinstance(streams, list) else ()):
        name = _get(stream, "name")
        if not isinstance(name, str):
            continue
        if name in first:
            path = ("source", "streams", index, "name")
            other = f"source.streams[{first[name]}]"
            tree.report(path, f"{quoted(name, tree.place(path))} is the name of {other} already; name each stream once")
        else:
            first[name] = index


def _check_state_is_named(tree: Tree) -> None:
    state = _get(tree.root, "state")
    if _get(state, "backend") == StateBackend.POSTGRES.value and _get(state, "connection") is None:
        tree.report(
            ("state", "connection"),
            "is required where state.backend is postgres; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        )


def _check_batch_fits(tree: Tree) -> None:
    fields = ResourcesSection.model_fields
    batch, memory = (
        _size(_get(tree.root, "resources", key), fields[key].default) for key in ("max_batch_bytes", "max_memory")
    )
    if batch > memory:
        tree.report(
            ("resources", "max_batch_bytes"),
            f"{batch} bytes are more than max_memory, {memory} bytes; lower it or raise max_memory",
        )


def _size(value: Any, default: int) -> int:
    if isinstance(value, str):
        return parse_size(value)
    return default if value is None else int(value)


def _get(value: Any, *keys: str) -> Any:
    for key in keys:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value
