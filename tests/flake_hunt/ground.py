"""The hunting ground: folders in which all ends up that a test leaves behind, so that it is known whose it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.python_path import PYTHON_PATH
from harness.shared_server import LINGER_VARIABLE


@dataclass(frozen=True, slots=True)
class Ground:
    """A folder for one hunt. Its path is in the environment of all that the tests start, which tells them apart."""

    folder: Path

    @property
    def temporary(self) -> Path:
        """Where tests and servers put what they remove themselves."""
        return self.folder / "tmp"

    @property
    def home(self) -> Path:
        """The home of the user, where no test puts anything."""
        return self.folder / "home"

    @property
    def cache(self) -> Path:
        """Where the machine code of connectors stays, and the lease of the server."""
        return self.folder / "cache"

    @property
    def work(self) -> Path:
        """Where each run of pytest has the folders that it gives to its tests."""
        return self.folder / "work"

    def environment(self) -> Mapping[str, str]:
        """Return what leads processes here."""
        return {
            "HOME": str(self.home),
            "PYTHONPATH": PYTHON_PATH,
            "TMPDIR": str(self.temporary),
            "XDG_CACHE_HOME": str(self.cache),
            "XDG_STATE_HOME": str(self.home / "state"),
            LINGER_VARIABLE: "0",  # the hunt's own server is gone with it
        }


@contextmanager
def made_ground() -> Iterator[Ground]:
    """Make the folders, and remove them at the end. Their paths are short enough for the sockets of servers."""
    with tempfile.TemporaryDirectory(prefix="rb-hunt-", dir="/tmp", ignore_cleanup_errors=True) as name:
        ground = Ground(Path(name))
        ground.folder.chmod(0o755)  # for the user that a server runs as when the tests run as root
        for folder in (ground.home, ground.cache, ground.work):
            folder.mkdir(mode=0o700)
        ground.temporary.mkdir()
        ground.temporary.chmod(0o1777)
        yield ground
