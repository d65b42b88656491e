"""Lines of the pipeline document for what its connectors refuse in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rapidbyte.config import locate
from rapidbyte.errors import DocumentError


@contextmanager
def problems_located(file: Path) -> Iterator[None]:
    """Give every DocumentError of the block the file and its lines."""
    try:
        yield
    except DocumentError as error:
        raise locate(error, file) from error
