"""Whether the process of a run still lives: each run holds a lock that the kernel gives back when the process ends.

A lock, unlike a process id, is never taken over by a stranger and means the same in every container that sees the file.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class RunLocks:
    """The locks of runs, one file each in `directory`, which is made when it is first needed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: dict[str, int] = {}

    def hold(self, run_id: str) -> None:
        """Mark the run as alive until `release`, `close` or the end of this process. Raises OSError."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(self._path(run_id), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._held[run_id] = descriptor

    def release(self, run_id: str) -> None:
        """Give the run's lock back, if this object holds it."""
        descriptor = self._held.pop(run_id, None)
        if descriptor is not None:
            self._path(run_id).unlink(missing_ok=True)
            os.close(descriptor)

    def is_held(self, run_id: str) -> bool:
        """Return whether any process holds the run's lock; a lock file without a holder is removed."""
        if run_id in self._held:
            return True
        try:
            descriptor = os.open(self._path(run_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            self._path(run_id).unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Give all locks back, leaving their files: the runs did not end, their process did."""
        while self._held:
            os.close(self._held.popitem()[1])

    def _path(self, run_id: str) -> Path:
        return self._directory / run_id
