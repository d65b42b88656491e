"""Rules that join the keys of a stream with each other and with the destination's. They look at the raw tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rapidbyte.config.problems import quoted
from rapidbyte.config.tree import Path, Tree
from rapidbyte.model import SyncMode, WriteMode

_INCREMENTAL, _CDC, _FULL_REFRESH = SyncMode.INCREMENTAL.value, SyncMode.CDC.value, SyncMode.FULL_REFRESH.value
_REPLACE, _UPSERT = WriteMode.REPLACE.value, WriteMode.UPSERT.value
_WHY_NO_REPLACE = {
    _INCREMENTAL: "would leave only the rows that are new since the last run",
    _CDC: "would leave only the changes since the last run",
}

Finding = tuple[Path, str]  # the path of a value, and what is wrong with it


@dataclass(frozen=True, slots=True)
class _Stream:
    """One stream as it was written, with what it takes over from the destination."""

    tree: Tree
    path: Path
    keys: dict[str, Any]
    write_mode: Any
    primary_key: Any

    def get(self, key: str) -> Any:
        return self.keys.get(key)

    def quoted(self, key: str) -> str:
        return quoted(self.get(key), self.tree.place((*self.path, key)))


def stream_findings(tree: Tree) -> Iterator[Finding]:
    """Yield what is wrong between the keys of each stream, and between its name and those before it."""
    destination = _mapping(_mapping(tree.root).get("destination"))
    streams = _mapping(_mapping(tree.root).get("source")).get("streams")
    first: dict[str, int] = {}
    for index, item in enumerate(streams if isinstance(streams, list) else ()):
        keys = _mapping(item)
        stream = _Stream(
            tree,
            ("source", "streams", index),
            keys,
            keys.get("write_mode") or destination.get("write_mode"),
            keys.get("primary_key") or destination.get("primary_key"),
        )
        yield from _name(stream, index, first)
        yield from _cursor(stream)
        yield from _projection(stream)
        yield from _modes(stream)


def _name(stream: _Stream, index: int, first: dict[str, int]) -> Iterator[Finding]:
    name = stream.get("name")
    if not isinstance(name, str):
        return
    if name in first:
        other = f"source.streams[{first[name]}]"
        yield (
            (*stream.path, "name"),
            f"{stream.quoted('name')} is the name of {other} already; name each stream once",
        )
    first.setdefault(name, index)


def _cursor(stream: _Stream) -> Iterator[Finding]:
    cursor, tie_breaker, mode = stream.get("cursor_field"), stream.get("tie_breaker_field"), stream.get("sync_mode")
    if mode == _INCREMENTAL and cursor is None:
        yield (*stream.path, "cursor_field"), "is required by sync_mode incremental; name a column whose values grow"
    if cursor is not None and cursor == tie_breaker:
        yield (
            (*stream.path, "tie_breaker_field"),
            f"{stream.quoted('tie_breaker_field')} is the cursor itself; name another column that tells apart rows "
            "of the same cursor, or remove it",
        )
    for key in ("null_cursor", "cursor_lag"):
        if stream.get(key) is not None and mode in (_FULL_REFRESH, _CDC):
            yield (*stream.path, key), f"is for sync_mode incremental only, not for {mode}; remove it"


def _projection(stream: _Stream) -> Iterator[Finding]:
    columns = stream.get("columns")
    if not isinstance(columns, list) or not columns:
        return
    for key in ("cursor_field", "tie_breaker_field"):
        if isinstance(stream.get(key), str) and stream.get(key) not in columns:
            yield (*stream.path, key), f"{stream.quoted(key)} is not among the columns of the stream; add it to columns"
    needed_by = _UPSERT if stream.write_mode == _UPSERT else _CDC if stream.get("sync_mode") == _CDC else None
    if needed_by is not None and isinstance(stream.primary_key, list):
        home = stream.path if stream.get("primary_key") else ("destination",)
        for position, column in enumerate(stream.primary_key):
            if isinstance(column, str) and column not in columns:
                place = stream.tree.place((*home, "primary_key", position))
                yield (
                    (*stream.path, "columns"),
                    f"lacks {quoted(column, place)} of the primary key, which {needed_by} needs; add it",
                )


def _modes(stream: _Stream) -> Iterator[Finding]:
    mode = stream.get("sync_mode")
    if mode in (_INCREMENTAL, _CDC) and stream.get("partition_key") is not None:
        yield (*stream.path, "partition_key"), f"is for sync_mode full_refresh only, not for {mode}; remove it"
    if isinstance(mode, str) and mode in _WHY_NO_REPLACE and stream.write_mode == _REPLACE:
        key = "write_mode" if stream.get("write_mode") is not None else "sync_mode"
        yield (
            (*stream.path, key),
            f"{mode} with write_mode replace {_WHY_NO_REPLACE[mode]}; use append or upsert, or sync_mode full_refresh",
        )


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
