"""Draws a picture of a report as SVG, in light and dark, with each name whole in its title."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass

from rapidbyte_pants.affected.layout import Kind, Node, Picture, place
from rapidbyte_pants.affected.model import Report
from rapidbyte_pants.affected.names import markup, shorten, split_name, width
from rapidbyte_pants.affected.text import summary

_HEADINGS = {Kind.CHANGE: "Changed files", Kind.TARGET: "Targets that depend on them", Kind.SCENARIO: "Scenarios"}
_COLUMN_CHARS = 30
_CHAR_PX = 7.3
_PAD_PX = 10
_GAP_PX = 44
_MARGIN_PX = 24
_BOX_PX = 38
_ROW_PX = 46
_TOP_PX = 84


@dataclass(frozen=True)
class _Label:
    """A name in two lines: what it is called, and where it lies."""

    name: str
    folder: str

    @property
    def chars(self) -> int:
        return max(width(self.name), width(self.folder))


@dataclass(frozen=True)
class _Columns:
    """Where each column begins and how wide its boxes are."""

    left: tuple[float, ...]
    box: tuple[float, ...]

    @property
    def right(self) -> float:
        return self.left[-1] + self.box[-1]


def render_svg(report: Report) -> str:
    return draw(report, place(report))


def draw(report: Report, picture: Picture) -> str:
    """Draw a picture that stands alone. Its nodes have their number as the identity `n<number>`."""
    style = stylesheet("picture.css")
    labels = {node.number: _label(node) for node in picture.nodes}
    columns = _measure(picture, labels)
    sentence = summary(report)
    wide = max(columns.right, width(sentence) * 8.5) + 2 * _MARGIN_PX
    high = _TOP_PX + picture.rows * _ROW_PX + _MARGIN_PX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="affected" role="group" aria-labelledby="affected-title" '
        f'style="--wide: {wide:.0f}px" width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="{-_MARGIN_PX} 0 {wide:.0f} {high:.0f}">',
        f'<title id="affected-title">{markup(sentence)}</title>',
        f"<style>{style}</style>",
        f'<text class="summary" x="0" y="32">{markup(sentence)}</text>',
        *_headings(picture, columns),
        *_edges(picture, columns),
        *(_node(node, labels[node.number], columns) for node in picture.nodes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def stylesheet(name: str) -> str:
    """Read a file that lies beside the code, wherever the code was loaded from."""
    content = pkgutil.get_data(__package__, name)
    if content is None:
        raise FileNotFoundError(f"{name} is not a part of the package {__package__}: install it whole.")
    return content.decode().strip()


def _label(node: Node) -> _Label:
    folder, base = split_name(node.name)
    return _Label(shorten(base, _COLUMN_CHARS), shorten(folder, _COLUMN_CHARS))


def _measure(picture: Picture, labels: dict[int, _Label]) -> _Columns:
    chars = [0] * max(picture.columns, 1)
    for node in picture.nodes:
        chars[node.column] = max(chars[node.column], labels[node.number].chars)
    box = [count * _CHAR_PX + 2 * _PAD_PX for count in chars]
    left = [sum(box[:column]) + column * _GAP_PX for column in range(len(box))]
    return _Columns(tuple(left), tuple(box))


def _headings(picture: Picture, columns: _Columns) -> Iterator[str]:
    first = {kind: min((node.column for node in picture.nodes if node.kind is kind), default=None) for kind in Kind}
    for kind, column in first.items():
        if column is not None:
            yield f'<text class="heading" x="{columns.left[column]:.1f}" y="66">{_HEADINGS[kind]}</text>'


def _edges(picture: Picture, columns: _Columns) -> Iterator[str]:
    for node in picture.nodes:
        if node.parent is not None:
            kind = "edge" if node.reason is None else "edge beyond"
            title = "" if node.reason is None else f"<title>{markup(node.reason)}</title>"
            path = _path(picture.nodes[node.parent], node, columns)
            yield f'<path class="{kind}" id="e{node.number}" d="{path}">{title}</path>'


def _path(parent: Node, node: Node, columns: _Columns) -> str:
    """Bend within the first gap, and go straight along the row from there: no other node lies in it."""
    start = columns.left[parent.column] + columns.box[parent.column]
    bend = start + _GAP_PX
    end = columns.left[node.column]
    top, bottom = _middle(parent), _middle(node)
    curve = f"M{start:.1f} {top:.1f}C{start + _GAP_PX / 2:.1f} {top:.1f} {bend - _GAP_PX / 2:.1f} {bottom:.1f}"
    return f"{curve} {bend:.1f} {bottom:.1f}H{end:.1f}"


def _node(node: Node, label: _Label, columns: _Columns) -> str:
    left, top = columns.left[node.column], _middle(node) - _BOX_PX / 2
    title = markup(f"{node.kind.value}: {node.full}")
    return (
        f'<g class="node {node.kind.value}" id="n{node.number}"><title>{title}</title>'
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{columns.box[node.column]:.1f}" height="{_BOX_PX}" rx="7"/>'
        f'<text class="name" x="{left + _PAD_PX:.1f}" y="{top + 16:.1f}">{markup(label.name)}</text>'
        f'<text class="folder" x="{left + _PAD_PX:.1f}" y="{top + 30:.1f}">{markup(label.folder)}</text></g>'
    )


def _middle(node: Node) -> float:
    return _TOP_PX + node.row * _ROW_PX + _BOX_PX / 2
