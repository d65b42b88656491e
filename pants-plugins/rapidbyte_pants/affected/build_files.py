"""Tells what a changed BUILD file does beyond the targets that it makes.

Its `__defaults__` set fields of all targets below its folder, and Pants' `--changed-since` does not follow them.
"""

from __future__ import annotations

import ast
import posixpath


def is_build_file(path: str) -> bool:
    name = posixpath.basename(path)
    return name == "BUILD" or name.startswith("BUILD.")


def defaults_reason(path: str, was: str, *now: str) -> str | None:
    """Say that the file's defaults changed. `was` is its content at the base, empty if there was none."""
    if _defaults(was) == _defaults("".join(now)):
        return None
    return f"{path} changes the defaults of the targets below its folder."


def _defaults(content: str) -> list[str]:
    """Give the calls that set defaults, by what they say: a comment or another line break is no change."""
    try:
        tree = ast.parse(content)
    except SyntaxError:
        # Pants reports the file; until it can be read, every word of it may be a default.
        return [content]
    return [ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_defaults(node)]


def _is_defaults(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id == "__defaults__"
