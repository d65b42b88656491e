"""The processes that belong to a hunt: those that have its folder in their environment or their command line."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Running:
    """A process. `started` tells it from a later one of the same number."""

    pid: int
    parent: int
    started: int
    command: str


def processes_of(folder: Path) -> frozenset[Running]:
    """Return the processes that belong to the hunt in `folder`. Raises FileNotFoundError where there is no /proc."""
    mark = os.fsencode(folder)
    return frozenset(process for process in _all() if process.pid != os.getpid() and _has(process.pid, mark))


def end(process: Running) -> None:
    """Kill a process if it is still there."""
    with contextlib.suppress(OSError):
        if _read(process.pid).started == process.started:
            os.kill(process.pid, signal.SIGKILL)


def _all() -> Iterator[Running]:
    for entry in os.listdir(_PROC):
        if entry.isdecimal():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                yield _read(int(entry))


def _read(pid: int) -> Running:
    _, _, fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")
    state, parent, *rest = fields.split()
    if state == "Z":
        raise ProcessLookupError(pid)
    words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    return Running(pid, int(parent), int(rest[17]), b" ".join(words).decode(errors="replace").strip())


def _has(pid: int, mark: bytes) -> bool:
    for name in ("environ", "cmdline"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            if mark in (_PROC / str(pid) / name).read_bytes():
                return True
    return False
