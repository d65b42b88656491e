"""A destination whose disk fills up amid a stream: no row stays, the error says what to do, and the next run has all.

A small file system has to be mounted for it, which only root may: it is done with sudo where that asks for no password.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

import rapidbyte
from harness.faulty_server import FaultyServer, faulty_server
from rapidbyte.cli.failure import failure_text
from rapidbyte.embedded import ServerAddress
from rapidbyte.embedded.installation import unprivileged_account
from rapidbyte.errors import TransientDatabaseError

_ROWS = 20_000  # of a kilobyte each, with room for a few thousand
_SMALL, _LARGE = "8m", "64m"


@dataclass(frozen=True, slots=True)
class Disk:
    """A file system in memory, mounted at `place`."""

    place: Path

    def mount(self, size: str) -> None:
        """Mount it empty, for the user that servers run as."""
        account = unprivileged_account()
        uid, gid = (os.getuid(), os.getgid()) if account is None else (account.uid, account.gid)
        _as_root("mount", "-t", "tmpfs", "-o", f"size={size},uid={uid},gid={gid},mode=700", "tmpfs", str(self.place))

    def grow(self, size: str) -> None:
        """Make room."""
        _as_root("mount", "-o", f"remount,size={size}", str(self.place))


@pytest.fixture
def disk() -> Iterator[Disk]:
    """A small disk, with a path that servers can reach."""
    disk = Disk(Path(f"/tmp/rb-disk-{os.getpid()}"))
    disk.place.mkdir(mode=0o755)
    disk.mount(_SMALL)
    yield disk
    _as_root("umount", str(disk.place))
    disk.place.rmdir()


@pytest.fixture
def server(disk: Disk) -> Iterator[FaultyServer]:
    """A server one of whose users makes all tables on the small disk."""
    with faulty_server() as server:
        with psycopg.connect(server.address.dsn(), autocommit=True) as session:
            session.execute(f"CREATE TABLESPACE small LOCATION '{disk.place}'".encode())
            session.execute("CREATE SCHEMA shop; CREATE TABLE shop.big (id int PRIMARY KEY, filling text)")
            session.execute("INSERT INTO shop.big SELECT n, repeat('x', 1000) FROM generate_series(1, %s) n", (_ROWS,))
            session.execute("CREATE ROLE small LOGIN SUPERUSER PASSWORD 'small'")
            session.execute("ALTER ROLE small SET default_tablespace = 'small'")
        yield server


def _document(server: ServerAddress, write_mode: str) -> dict[str, Any]:
    config = {"host": server.host, "port": server.port, "database": server.database}
    return {
        "version": "1.0",
        "pipeline": "full",
        "source": {
            "use": "postgres",
            "config": {**config, "user": server.user, "password": server.password, "schema": "shop"},
            "streams": [{"name": "big", "sync_mode": "full_refresh"}],
        },
        "destination": {
            "use": "postgres",
            "config": {**config, "user": "small", "password": "small", "schema": "target"},
            "write_mode": write_mode,
        },
        "resources": {"max_retries": 0},
    }


@pytest.mark.parametrize("write_mode", ["append", "replace"])
def test_full_disk_leaves_no_row_and_the_next_run_has_all_once_there_is_room(
    server: FaultyServer, disk: Disk, tmp_path: Path, write_mode: str
) -> None:
    document = _document(server.address, write_mode)
    with pytest.raises(TransientDatabaseError, match="No space left on device") as caught:
        rapidbyte.run_pipeline(document, state_path=tmp_path / "state.db")
    assert caught.value.code == "53100"
    assert "hint: make room on the server's disk" in failure_text(caught.value)
    with psycopg.connect(server.address.dsn(), autocommit=True) as session:
        assert session.execute("SELECT to_regclass('target.big')").fetchone() == (None,)
        disk.grow(_LARGE)
        assert rapidbyte.run_pipeline(document, state_path=tmp_path / "state.db").rows_written == _ROWS
        differing = (
            "(TABLE shop.big EXCEPT ALL TABLE target.big) UNION ALL (TABLE target.big EXCEPT ALL TABLE shop.big)"
        )
        assert session.execute(differing.encode()).fetchall() == []


def _as_root(*command: str) -> None:
    prefix = [] if os.geteuid() == 0 else ["sudo", "--non-interactive"]
    ended = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{' '.join(command)} needs root, or a sudo that asks for no password: {ended.stderr}"
