"""Lines for problems that are found after a document was read, such as by a connector's own rules for its config."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rapidbyte.config.load import read_text
from rapidbyte.config.reader import read_tree
from rapidbyte.config.substitution import Expanded, expand
from rapidbyte.errors import DocumentError

_LAST_PART = re.compile(r"(\.[^.\[]*|\[[0-9]+\]|^[^.\[]*)\Z")


def locate(
    error: DocumentError, source: Path | str | Mapping[str, object], env: Mapping[str, str] | None = None
) -> DocumentError:
    """Return `error` with the file and the lines of its problems, as far as `source` has them.

    Raises ConfigError when the file, which was read before, can no longer be read.
    """
    if isinstance(source, Mapping):
        return error
    path = Path(source)
    text = expand(read_text(path), os.environ if env is None else env)
    if not isinstance(text, Expanded):
        return error
    tree = read_tree(text)
    lines = {tree.show(where): place.line for where, place in (tree.places | tree.key_places).items()}
    problems = tuple(
        problem if problem.line is not None else replace(problem, line=_line_of(problem.path, lines))
        for problem in error.problems
    )
    return DocumentError(str(path), tuple(sorted(problems, key=lambda problem: problem.line or 0)))


def _line_of(path: str, lines: Mapping[str, int | None]) -> int | None:
    """Return the line of `path`, or of its nearest parent that the document has."""
    while path and path not in lines:
        path = _LAST_PART.sub("", path)
    return lines.get(path)
