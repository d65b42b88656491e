"""YAML text as nodes: PyYAML's composer with the scalars of YAML 1.2, and what it says of broken text.

`yes`, `on`, dates and numbers with a leading zero are text.
"""

from __future__ import annotations

import re

import yaml
from yaml.nodes import Node

from rapidbyte.config.substitution import Expanded
from rapidbyte.config.tree import MAX_DEPTH
from rapidbyte.errors import Problem

NULL, BOOL, INT, FLOAT, STR = (f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str"))
# PyYAML quotes the document there: a word of it may be a password.
_QUOTED = re.compile(r"""(['"])(?!<|\\.['"]).{2,}\1""")


class TooDeepError(Exception):
    """A document that is nested beyond MAX_DEPTH, at `index` of its text."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.index = index


class _Loader(yaml.SafeLoader):
    """PyYAML's own composer, with an end to its recursion and the scalars of YAML 1.2."""

    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise TooDeepError(0 if parent is None else parent.start_mark.index)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    (NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (INT, r"[-+]?(?:0|[1-9][0-9]{0,17})", list("-+0123456789")),
    (
        FLOAT,
        r"[-+]?(?:(?:0|[1-9][0-9]*)\.[0-9]*|\.[0-9]+|[1-9][0-9]*(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)


def compose(text: str) -> Node | None:
    """Return the one node of `text`, or None of an empty one. Raises YAMLError or TooDeepError."""
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def syntax_problem(error: yaml.MarkedYAMLError, text: Expanded) -> Problem:
    """Return the problem that `error` stands for, without words of the document."""
    mark = error.problem_mark or error.context_mark
    line = 1 if mark is None else text.line_of(mark.index)
    first = line if error.context_mark is None else text.line_of(error.context_mark.index)
    for suspect in range(line, min(first, line) - 1, -1):  # the nearest is the likeliest
        variables = text.variables_on_line(suspect)
        if variables:
            names = ", ".join(f"${{{name}}}" for name in variables)
            return Problem("", f"is not valid YAML with the text of {names}; it needs quotes, or other ones", suspect)
    reason = ", ".join(filter(None, (error.context, error.problem)))
    return Problem("", f"is not valid YAML: {_QUOTED.sub('…', reason)}", line)
