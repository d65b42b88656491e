"""The directory of one server: made under a lock that says it is in use, and removed when nobody holds that lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rapidbyte.embedded.errors import EmbeddedPostgresError
from rapidbyte.embedded.installation import Account, is_reachable
from rapidbyte.embedded.uninterrupted import uninterrupted

_PREFIX = "rapidbyte-pg-"
_UNFINISHED_PREFIX = ".rapidbyte-new-"
_ALIVE = "alive"

# The longest path of a Unix socket is 103 bytes on some systems; this much of it is the folder of all servers.
_LONGEST_PARENT = 60


@dataclass(frozen=True, slots=True)
class ServerDirectory:
    """A directory for one server and the descriptor that marks it as in use for as long as any process holds it."""

    path: Path
    alive_fd: int

    @property
    def sockets(self) -> Path:
        """Give the folder of the server's Unix socket."""
        return self.path / "run"


@contextlib.contextmanager
def new_directory(account: Account | None) -> Iterator[ServerDirectory]:
    """Make a directory that `account` owns, once those that nobody works in any more are gone.

    At the end of the block it is removed too, unless a guard has taken it over. No signal leaves any of it behind.
    """
    directory: ServerDirectory | None = None
    try:
        with uninterrupted():
            _remove_abandoned(account)
            directory = _make(account)
        yield directory
    finally:
        if directory is not None:
            os.close(directory.alive_fd)
            _remove_if_abandoned(directory.path)


def _make(account: Account | None) -> ServerDirectory:
    parent = _parent(account)
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED_PREFIX, dir=parent))
    path = parent / unfinished.name.replace(_UNFINISHED_PREFIX, _PREFIX, 1)
    try:
        # It takes its final name locked, so that nobody can mistake it for an abandoned one.
        alive_fd = os.open(unfinished / _ALIVE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(alive_fd, fcntl.LOCK_EX)
        unfinished.rename(path)
        directory = ServerDirectory(path, alive_fd)
        directory.sockets.mkdir(mode=0o700)
        if account is not None:
            for folder in (path, directory.sockets):
                os.chown(folder, account.uid, account.gid)
    except BaseException:
        for left in (unfinished, path):
            shutil.rmtree(left, ignore_errors=True)
        raise
    return directory


def _remove_abandoned(account: Account | None) -> None:
    """Remove this user's directories whose server and guard were both killed. Leaves those of other users alone."""
    for path in _parent(account).glob(f"{_PREFIX}*"):
        _remove_if_abandoned(path)


def _remove_if_abandoned(path: Path) -> None:
    """Remove a directory of this user's if no process works in it any more."""
    alive = path / _ALIVE
    with contextlib.suppress(OSError), open(alive, "rb") as lock:
        if alive.stat().st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)


def _parent(account: Account | None) -> Path:
    for candidate in (tempfile.gettempdir(), "/tmp"):
        is_open = account is None or is_reachable(Path(candidate), account)
        if is_open and len(os.fsencode(candidate)) <= _LONGEST_PARENT:
            return Path(candidate)
    raise EmbeddedPostgresError(
        "No folder for temporary files has a path short enough for a Unix socket and is open to the user that Postgres "
        "runs as. Set TMPDIR to one."
    )
