"""Sizes as people write them: `<integer>[kb|mb|gb]`, 1024-based, in any case."""

from __future__ import annotations

import re

_SIZE = re.compile(r"([0-9]{1,15})\s*(kb|mb|gb)?", re.IGNORECASE)
_UNITS = {"": 1, "kb": 1024, "mb": 1024**2, "gb": 1024**3}
MAX_SIZE_BYTES = 2**63 - 1


def parse_size(text: str) -> int:
    """Return the bytes that `text` names.

    Raises ValueError, whose message says what a size looks like and does not repeat the text.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("is not a size; write a whole number with kb, mb or gb, such as 64mb")
    size_bytes = int(match[1]) * _UNITS[(match[2] or "").lower()]
    if size_bytes > MAX_SIZE_BYTES:
        raise ValueError("is larger than any machine; the greatest size is 8589934591gb")
    return size_bytes
