"""A fixture for what must leave nothing behind: a folder that has to be empty at the end."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for servers, with a path short enough for their sockets; fails when anything is left in it."""
    folder = Path(tempfile.mkdtemp(prefix="rb-", dir="/tmp"))
    folder.chmod(0o755)  # for the user that a server runs as when the tests run as root
    yield folder
    left = [str(path.relative_to(folder)) for path in folder.rglob("*")]
    shutil.rmtree(folder)
    assert left == []
