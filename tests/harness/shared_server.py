"""One embedded Postgres for all test processes of a user: the first starts it, others join, it goes behind the last.

It stays for a while when nobody is there, for the next test file of a run may come a moment later. The lease folder
lies outside of any sandbox and holds a lock and the place of the current server. Who holds the lock may join or start;
the server's guard takes it before it decides that everybody left. A server that does not answer is left to its guard
and replaced, so nothing that died has to be repaired here.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg

from rapidbyte.embedded import DEFAULT_MAJOR, EmbeddedPostgres, ServerAddress, ServerGoneError

# A disposable server for many short tests: durable settings would only cost time.
SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_replication_slots": "50",
    "max_wal_senders": "50",
    "scram_iterations": "1",  # of thousands, which every connection of every run would compute; the one under TLS does
    "synchronous_commit": "off",
    "wal_level": "logical",
}

LINGER_VARIABLE = "RAPIDBYTE_TEST_LINGER_S"
_LINGER_S = 10.0
_CONNECT_TIMEOUT_S = 10


def lease_folder(major: int = DEFAULT_MAJOR, settings: Mapping[str, str] = SETTINGS) -> Path:
    """Give the folder in which processes that want the same kind of server meet; made for this user alone."""
    return private_folder(f"postgres-{major}", [major, sorted(settings.items())])


def private_folder(name: str, kind: Sequence[object]) -> Path:
    """Make a folder for this user alone, outside of any sandbox: one for each name and `kind`, which JSON can hold."""
    digest = hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:8]
    cache = os.environ.get("XDG_CACHE_HOME")
    root = Path(cache, "rapidbyte") if cache else Path(tempfile.gettempdir(), f"rapidbyte-{os.getuid()}")
    folder = root / f"{name}-{digest}"
    root.parent.mkdir(parents=True, exist_ok=True)
    for place in (root, folder):
        place.mkdir(mode=0o700, exist_ok=True)
        if place.lstat().st_uid != os.getuid():
            raise PermissionError(f"{place} belongs to another user. Remove it, or set XDG_CACHE_HOME.")
    return folder


def lease_server(folder: Path, major: int = DEFAULT_MAJOR, settings: Mapping[str, str] = SETTINGS) -> EmbeddedPostgres:
    """Join the server of a lease folder, or start it. Its `close` gives the lease back.

    `RAPIDBYTE_TEST_LINGER_S` says how many seconds a server that is started here outlives its last user.
    """
    lock = folder / "lock"
    current = folder / "current"
    with locked(lock):
        server = _join(current)
        if server is None:
            linger_s = float(os.environ.get(LINGER_VARIABLE, _LINGER_S))
            server = EmbeddedPostgres.start(major=major, settings=settings, join_lock=lock, linger_s=linger_s)
            current.write_text(str(server.directory), encoding="utf-8")
        return server


def _join(current: Path) -> EmbeddedPostgres | None:
    try:
        server = EmbeddedPostgres.join(Path(current.read_text(encoding="utf-8")))
    except (FileNotFoundError, ServerGoneError):
        return None
    if _answers(server.address):
        return server
    server.close()
    return None


def _answers(address: ServerAddress) -> bool:
    try:
        psycopg.connect(address.dsn(), connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file within the block; wait for whoever holds it."""
    with path.open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
