"""A Postgres of a test's own that can be stopped, killed and started again on the same data and the same port.

The server of `rapidbyte.embedded` cannot: it goes with its files as soon as it ends.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg

from harness.waiting import PATIENCE_S, wait_until
from rapidbyte.embedded import DEFAULT_MAJOR, ServerAddress
from rapidbyte.embedded.directory import ServerDirectory, new_directory
from rapidbyte.embedded.installation import (
    Account,
    Installation,
    copy_installation,
    find_installation,
    is_reachable,
    unprivileged_account,
)

_PR_SET_PDEATHSIG = 1
_SETTINGS = {"fsync": "off", "listen_addresses": "127.0.0.1", "dynamic_shared_memory_type": "mmap"}


class FaultyServer:
    """A cluster, and the server that runs on it, if one does."""

    def __init__(
        self,
        installation: Installation,
        directory: ServerDirectory,
        account: Account | None,
        settings: Mapping[str, str],
    ) -> None:
        self._installation = installation
        self._directory = directory
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None
        self._log = directory.path / "postgres.log"
        self.address = ServerAddress("127.0.0.1", _free_port(), "postgres", secrets.token_urlsafe(18), "postgres")
        every = {**_SETTINGS, "port": str(self.address.port), "unix_socket_directories": str(directory.sockets)}
        self._options = [word for name, value in {**every, **settings}.items() for word in ("-c", f"{name}={value}")]
        self._make_cluster()

    def start(self) -> None:
        """Start the server and wait until it takes connections, also after its death."""
        wait_until(self._try_start, "the server to take connections")

    def restart(self) -> None:
        """Stop it as its administrator would, who ends all sessions, and start it again."""
        self.stop()
        self.start()

    def stop(self) -> None:
        """End it, with all sessions."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the process that all others of it belong to."""
        self._end(signal.SIGKILL)

    def log(self) -> str:
        """Read what it has written so far."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(PATIENCE_S)
            self._process = None

    def _try_start(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            data = str(self._data)
            self._process = self._launch([str(self._installation.program("postgres")), "-D", data, *self._options])
        try:
            psycopg.connect(self.address.dsn(), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def _data(self) -> Path:
        return self._directory.path / "data"

    def _make_cluster(self) -> None:
        password = self._directory.path / "password"
        password.write_text(self.address.password, encoding="ascii")
        if self._account is not None:
            os.chown(password, self._account.uid, self._account.gid)
        options = ["-U", "postgres", "--encoding=UTF8", "--no-locale", "--auth=scram-sha-256", "--no-sync"]
        command = [str(self._installation.program("initdb")), "-D", str(self._data), f"--pwfile={password}", *options]
        assert self._launch(command).wait(PATIENCE_S) == 0, self.log()

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._directory.path,
                env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(self._directory.alive_fd,),  # says that the directory is in use, whoever else has died
                start_new_session=True,
                user=None if self._account is None else self._account.uid,
                group=None if self._account is None else self._account.gid,
                extra_groups=None if self._account is None else [self._account.gid],
                umask=0o077,
                preexec_fn=_end_with_the_test,
            )


@contextmanager
def faulty_server(**settings: str) -> Iterator[FaultyServer]:
    """Make a cluster, start a server on it, and take both away after the block."""
    account = unprivileged_account()
    installation = find_installation(DEFAULT_MAJOR)
    with new_directory(account) as directory:
        if account is not None and not is_reachable(installation.program("postgres"), account):
            installation = copy_installation(installation, directory.path / "install")
        server = FaultyServer(installation, directory, account, settings)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _end_with_the_test() -> None:
    if os.uname().sysname == "Linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
