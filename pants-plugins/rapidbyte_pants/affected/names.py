"""Makes names safe and short enough to show: a file can be called anything that has no slash and no NUL in it."""

from __future__ import annotations

import posixpath
import unicodedata
from xml.sax.saxutils import escape


def printable(name: str) -> str:
    """Escape what a terminal or an XML reader would take for more than a character, as Python writes it."""
    return "".join(char if char.isprintable() else _escaped(char) for char in name)


def markup(name: str) -> str:
    """Write a name for XML and HTML, as text or within double quotes."""
    return escape(printable(name), {'"': "&quot;", "'": "&#39;"})


def split_name(name: str) -> tuple[str, str]:
    """Split a path or an address, as shown, in its folder and the rest. The build root is `//`, as in Pants."""
    path, colon, target = printable(name).partition(":")
    folder, base = posixpath.split(path)
    return folder or "//", base + colon + target


def width(text: str) -> int:
    """Count the columns of a monospaced text."""
    return sum(_columns(char) for char in text)


def shorten(text: str, columns: int) -> str:
    """Cut the middle out of what is wider than this, for the ends of a name tell most."""
    if width(text) <= columns:
        return text
    tail_columns = (columns - 1) * 2 // 3
    tail = _take(text[::-1], tail_columns)[::-1]
    return f"{_take(text, columns - 1 - tail_columns)}…{tail}"


def _take(text: str, columns: int) -> str:
    taken = ""
    for char in text:
        columns -= _columns(char)
        if columns < 0:
            break
        taken += char
    return taken


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
