"""YAML nodes as a tree of plain values.

A key that stands twice, a value that JSON cannot hold, and a document that is deeper or larger than people write are
problems.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from rapidbyte.config.nodes import BOOL, FLOAT, INT, NULL, STR, TooDeepError, compose, syntax_problem
from rapidbyte.config.substitution import Expanded
from rapidbyte.config.tree import MAX_DEPTH, Path, Place, Tree
from rapidbyte.errors import Problem

MAX_VALUES = 20_000
_TOO_DEEP = f"is nested more than {MAX_DEPTH} levels deep"


def read_tree(text: Expanded) -> Tree:
    """Parse `text`. What is wrong with it is in the tree's problems; the rest of the tree is usable."""
    tree = Tree()
    try:
        node = compose(text.text)
    except yaml.MarkedYAMLError as error:
        tree.problems.append(syntax_problem(error, text))
        return tree
    except yaml.reader.ReaderError as error:
        line = text.line_of(error.position)
        tree.problems.append(Problem("", f"holds the character U+{error.character:04X}, which YAML forbids", line))
        return tree
    except TooDeepError as error:
        tree.problems.append(Problem("", _TOO_DEEP, text.line_of(error.index)))
        return tree
    if node is None:
        tree.problems.append(Problem("", "is empty; a pipeline needs version, pipeline, source and destination"))
        return tree
    tree.root = _Reader(tree, text).root(node)
    return tree


class _Reader:
    """Turns nodes into values, noting their places in the tree."""

    def __init__(self, tree: Tree, text: Expanded) -> None:
        self._tree = tree
        self._text = text
        self._left = MAX_VALUES
        self._merging: list[MappingNode] = []

    def root(self, node: Node) -> Any:
        """Return what the document holds, or None when it is too deep or too large to be told."""
        value = self.value(node, ())
        return value if self._left > 0 else None

    def value(self, node: Node, path: Path) -> Any:
        """Return what `node` holds, or None for what cannot be told."""
        place = self._place(node)
        self._tree.places[path] = place
        if len(path) > MAX_DEPTH:  # an alias of what it stands in
            self._refuse(_TOO_DEEP, place)
        if not self._is_within_budget():
            return None
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, ScalarNode)
        return self._scalar(node, path, place)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if _is_merge(key_node):
                values |= self._merged(value_node, path)
        seen: dict[str, int | None] = {}
        for key_node, value_node in node.value:
            place = self._place(key_node)
            key = key_node.value
            if not isinstance(key_node, ScalarNode):
                self._tree.report(path, "has a key that is not text", place)
            elif key in seen:
                self._tree.report(
                    (*path, key), f"stands twice in one mapping, first on line {seen[key]}; keep one", place
                )
            elif not _is_merge(key_node):
                seen[key] = place.line
                self._tree.key_places[*path, key] = place
                values[key] = self.value(value_node, (*path, key))
        return values

    def _merged(self, node: Node, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        bases = node.value if isinstance(node, SequenceNode) else [node]
        for base in reversed(bases):
            place = self._place(base)
            if not isinstance(base, MappingNode) or base in self._merging:
                self._tree.report(path, "merges with `<<` what is not another mapping", place)
            elif self._is_within_budget():
                self._merging.append(base)
                values |= self._mapping(base, path)
                self._merging.pop()
        return values

    def _scalar(self, node: ScalarNode, path: Path, place: Place) -> Any:
        convert = _CONVERSIONS.get(node.tag)
        if convert is None:
            self._tree.report(path, "begins with !, which makes it a tag in YAML; put it in quotes", place)
            return None
        try:
            return convert(node.value)
        except (ValueError, KeyError):
            self._tree.report(path, f"cannot be read as {node.tag.rsplit(':')[-1]}", place)
            return None

    def _is_within_budget(self) -> bool:
        self._left -= 1
        if self._left == 0:
            self._refuse(f"holds more than {MAX_VALUES} values, counting aliases each time", Place())
        return self._left > 0

    def _refuse(self, message: str, place: Place) -> None:
        if self._left >= 0:
            self._tree.report((), message, place)
        self._left = -1

    def _place(self, node: Node) -> Place:
        start, end = node.start_mark.index, node.end_mark.index
        variables = self._text.variables_in(start, end) if isinstance(node, ScalarNode) else ()
        return Place(self._text.line_of(start), variables)


def _is_merge(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.value == "<<" and node.style is None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


_CONVERSIONS: Mapping[str, Callable[[str], Any]] = {
    NULL: lambda _: None,
    BOOL: lambda text: {"true": True, "false": False}[text.lower()],
    INT: int,
    FLOAT: _finite,
    STR: str,
}
