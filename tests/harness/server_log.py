"""What a server logged while a test ran: the sessions that name the test's schemas, and the server's own lines.

All tests of a machine share a server, so its log holds the lines of others too. Whose a session is shows in its lines:
an error is logged with its statement, and that names schemas, which no two tests share.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

# As the setting log_line_prefix has it by default: `%m [%p] `.
_START = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\.\d+ \S+ \[(\d+)\] ", re.MULTILINE)
_NONCE = re.compile(r"_([0-9a-f]{12})(?![0-9a-z])")
_MOST_CHARS = 20_000


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the log with those that continue it."""

    at: str
    process: str
    text: str


def log_of_test(log: str, nonce: str | None, since_s: float) -> str:
    """Return the entries of sessions that name `nonce`, or no test at all, in the order of the log.

    `since_s`, a time of the epoch, is where they begin; the log's times must be in UTC. Of too much, the end is kept.
    """
    since = datetime.fromtimestamp(since_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
    entries = [entry for entry in _entries(log) if entry.at >= since]
    named: dict[str, set[str]] = {}
    for entry in entries:
        named.setdefault(entry.process, set()).update(_NONCE.findall(entry.text))
    kept = [entry.text for entry in entries if not named[entry.process] or nonce in named[entry.process]]
    text = "\n".join(kept)
    return text if len(text) <= _MOST_CHARS else f"[…]{text[-_MOST_CHARS:]}"


def nonce_of(schema: str) -> str | None:
    """Return what makes the name of a test's schema unique; None for a schema of nobody's."""
    found: list[str] = _NONCE.findall(schema)
    return found[-1] if found else None


def _entries(log: str) -> list[_Entry]:
    starts = tuple(_START.finditer(log))
    ends = [match.start() for match in starts[1:]] + [len(log)]
    return [
        _Entry(match[1], match[2], log[match.start() : end].rstrip()) for match, end in zip(starts, ends, strict=True)
    ]
