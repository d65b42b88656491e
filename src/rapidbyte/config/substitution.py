"""Environment variables in a document: `${NAME}` and `${NAME:-default}`, replaced before the text is parsed.

What came from the environment may be a secret, so its place is kept: an error can then name the variable instead of
showing the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

_BRACES = re.compile(r"\$\{([^{}\n]*)\}")
_REFERENCE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?")


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of expanded text, from `start` up to `end`, that stands for the variable `name`."""

    start: int
    end: int
    name: str


@dataclass(frozen=True, slots=True)
class Expanded:
    """A text after substitution, which still knows its original lines.

    `line_ends` are the positions of the line ends that the author wrote, as opposed to those inside a variable.
    """

    text: str
    spans: tuple[Span, ...]
    line_ends: tuple[int, ...]

    def line_of(self, index: int) -> int:
        """Return the 1-based line of the original text that position `index` of the expanded one comes from."""
        return bisect_right(self.line_ends, index - 1) + 1

    def variables_in(self, start: int, end: int) -> tuple[str, ...]:
        """Return the names of the variables whose text overlaps `start` up to `end`."""
        first = bisect_right(self.spans, start, key=lambda span: span.end)
        found: list[str] = []
        for span in self.spans[first:]:
            if span.start >= end:
                break
            if span.name not in found:
                found.append(span.name)
        return tuple(found)

    def variables_on_line(self, line: int) -> tuple[str, ...]:
        """Return the names of the variables used on a 1-based line of the original text."""
        start = self.line_ends[line - 2] + 1 if line > 1 else 0
        end = self.line_ends[line - 1] if line <= len(self.line_ends) else len(self.text)
        return self.variables_in(start, end)


@dataclass(frozen=True, slots=True)
class BadReference:
    """A `${…}` that cannot be replaced: on which 1-based line, and why."""

    line: int
    message: str


def expand(text: str, env: Mapping[str, str]) -> Expanded | tuple[BadReference, ...]:
    """Replace every reference once; text that came from a variable is never looked at again.

    A default stands in for a variable that is unset or empty, as in a shell. `${` that is not closed on its line is
    ordinary text. Returns all bad references if there are any.
    """
    writer = _Writer()
    bad: list[BadReference] = []
    position = 0
    for match in _BRACES.finditer(text):
        writer.author(text[position : match.start()])
        position = match.end()
        reference = _REFERENCE.fullmatch(match[1])
        if reference is None:
            bad.append(BadReference(writer.line, _malformed(match[1])))
            continue
        name, default = reference[1], reference[2]
        value = env.get(name)
        if value is None and default is None:
            message = f"environment variable {name} is not set; set it, or write ${{{name}:-default}}"
            bad.append(BadReference(writer.line, message))
        elif default is not None and not value:
            writer.author(default)
        elif value:
            writer.variable(name, value)
    writer.author(text[position:])
    return tuple(bad) if bad else writer.expanded()


class _Writer:
    """The expanded text as it grows; `line` is the author's line that is being written."""

    def __init__(self) -> None:
        self.line = 1
        self._length = 0
        self._parts: list[str] = []
        self._spans: list[Span] = []
        self._line_ends: list[int] = []

    def author(self, piece: str) -> None:
        """Add what stands in the document."""
        ends = [self._length + match.start() for match in re.finditer("\n", piece)]
        self._line_ends += ends
        self.line += len(ends)
        self._add(piece)

    def variable(self, name: str, value: str) -> None:
        """Add what comes from the environment."""
        self._spans.append(Span(self._length, self._length + len(value), name))
        self._add(value)

    def expanded(self) -> Expanded:
        return Expanded("".join(self._parts), tuple(self._spans), tuple(self._line_ends))

    def _add(self, piece: str) -> None:
        self._parts.append(piece)
        self._length += len(piece)


def _malformed(body: str) -> str:
    name = body.split(":-")[0]
    return f"'${{{name}}}' is not a variable; write ${{NAME}} or ${{NAME:-default}}, NAME being letters, digits and _"
