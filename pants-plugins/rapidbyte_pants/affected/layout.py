"""Places a report's chains as a picture: changed files at the left, targets between, scenarios at the right.

The chains form trees, for each target is first reached once, so that no line crosses another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rapidbyte_pants.affected.model import Explained, Report
from rapidbyte_pants.affected.text import described


class Kind(Enum):
    CHANGE = "change"
    TARGET = "target"
    SCENARIO = "scenario"


@dataclass(frozen=True)
class Node:
    """`row` counts from the top, in heights of a node. `reason` is there if its parent is none of its dependencies."""

    number: int
    kind: Kind
    name: str
    full: str
    column: int
    row: float
    parent: int | None
    reason: str | None


@dataclass(frozen=True)
class Picture:
    nodes: tuple[Node, ...]
    columns: int
    rows: int


class _Grown:
    """A node while the trees grow."""

    def __init__(self, kind: Kind, name: str, full: str, depth: int, reason: str | None = None) -> None:
        self.kind = kind
        self.name = name
        self.full = full
        self.depth = depth
        self.reason = reason
        self.children: dict[tuple[Kind, str], _Grown] = {}

    def child(self, kind: Kind, name: str, reason: str | None) -> _Grown:
        known = self.children.get((kind, name))
        if known is None:
            known = self.children[kind, name] = _Grown(kind, name, name, self.depth + 1, reason)
        return known


class _Placer:
    """Numbers and places the nodes, each parent before its children."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._count = 0
        self.nodes: list[Node] = []
        self.rows = 0

    def settle(self, grown: _Grown, parent: int | None = None) -> float:
        """Place the node and all below it from the next free row on. Return its own row: the middle of its children."""
        number = self._count
        self._count += 1
        rows = [self.settle(child, number) for child in grown.children.values()]
        if not rows:
            rows = [self.rows]
            self.rows += 1
        row = (rows[0] + rows[-1]) / 2
        column = self._columns - 1 if grown.kind is Kind.SCENARIO else grown.depth
        self.nodes.append(Node(number, grown.kind, grown.name, grown.full, column, row, parent, grown.reason))
        return row


def place(report: Report) -> Picture:
    """Place every chain, and below them the changes that lead to none."""
    roots = {each.path: _Grown(Kind.CHANGE, each.path, described(each), 0) for each in report.changes}
    for each in report.explained:
        _grow(roots[each.change.path], each)
    placer = _Placer(2 + max((len(_between(each)) for each in report.explained), default=0))
    for root in sorted(roots.values(), key=lambda grown: not grown.children):
        placer.settle(root)
    nodes = sorted(placer.nodes, key=lambda node: node.number)
    return Picture(tuple(nodes), 1 + max((node.column for node in nodes), default=0), placer.rows)


def _grow(root: _Grown, each: Explained) -> None:
    at, reason = root, each.reason
    for link in _between(each):
        at, reason = at.child(Kind.TARGET, link, reason), None
    at.child(Kind.SCENARIO, each.scenario.address, reason)


def _between(each: Explained) -> tuple[str, ...]:
    """Give the targets between the change and the scenario, which is the last link, or the changed file itself."""
    return each.links[:-1]
