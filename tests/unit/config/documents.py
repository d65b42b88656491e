"""Documents for the tests of the configuration."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from rapidbyte.config import load, load_text
from rapidbyte.errors import DocumentError

MINIMAL = """\
version: "1.0"
pipeline: nightly
source:
  use: postgres
  config: {host: localhost}
  streams:
    - name: users
      sync_mode: full_refresh
destination:
  use: postgres
  config: {host: localhost}
  write_mode: append
"""


def minimal(**changes: object) -> dict[str, object]:
    """Return the minimal document as values; `source__limits={...}` sets `source.limits`."""
    document: dict[str, object] = {
        "version": "1.0",
        "pipeline": "nightly",
        "source": {
            "use": "postgres",
            "config": {"host": "localhost"},
            "streams": [{"name": "users", "sync_mode": "full_refresh"}],
        },
        "destination": {"use": "postgres", "config": {"host": "localhost"}, "write_mode": "append"},
    }
    for place, value in changes.items():
        *parents, key = place.split("__")
        section = document
        for parent in parents:
            found = section.setdefault(parent, {})
            assert isinstance(found, dict)
            section = found
        section[key] = value
    return document


def problems_of(document: str | Mapping[str, object], **env: str) -> list[str]:
    """Return the problems of a text, as `line: path: message`, or of values, as `path: message`."""
    with pytest.raises(DocumentError) as caught:
        load_text(document, "p.yaml", env) if isinstance(document, str) else load(document)
    lines = []
    for problem in caught.value.problems:
        parts = (None if problem.line is None else str(problem.line), problem.path, problem.message)
        lines.append(": ".join(part for part in parts if part))
    return lines
