"""A document as plain values, with the place where each of them was written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rapidbyte.errors import Problem

Path = tuple[str | int, ...]  # keys and indexes from the root
MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value was written: a 1-based line if there is a text, and the variables that are part of it."""

    line: int | None = None
    variables: tuple[str, ...] = ()


@dataclass(slots=True)
class Tree:
    """A document as plain values; `places` are those of the values, `key_places` those of the keys of mappings."""

    root: Any = None
    places: dict[Path, Place] = field(default_factory=dict)
    key_places: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: Path) -> Place:
        """Return where `path` is written, or would have to be: its nearest parent's place."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place())

    def key_place(self, path: Path) -> Place:
        """Return where the last key of `path` is written."""
        return self.key_places.get(path) or self.place(path)

    def show(self, path: Path) -> str:
        """Return `path` as people write it, `source.streams[2].name`, with variables in place of their text."""
        text = ""
        for depth, part in enumerate(path, start=1):
            variables = self.key_places.get(path[:depth], Place()).variables
            name = "".join(f"${{{name}}}" for name in variables) or part
            text += f"[{part}]" if isinstance(part, int) else f".{name}" if text else str(name)
        return text

    def report(self, path: Path, message: str, place: Place | None = None) -> None:
        """Add a problem of the value at `path`."""
        self.problems.append(Problem(self.show(path), message, (place or self.place(path)).line))
