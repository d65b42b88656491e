"""The process that owns one server: makes its cluster, starts it, watches it, and takes everything away at the end.

It runs as a script of its own, on the standard library alone, and outlives whoever asked for the server. Its standard
input is the read end of the server's lease, a FIFO that every user of the server holds open for writing: the kernel
closes a killed user's end, so the last one out is seen without counting processes. The server's directory goes with it,
at once or, where the guard was told to linger, when nobody has come for so long.
If the guard itself is killed, the kernel interrupts the server where it can (Linux), and the `alive` lock, inherited by
all of the server's processes, tells the next comer when the directory may be removed.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LEASE = "lease"
DETACH = b"d"
LOG = "postgres.log"
DATA = "data"

_PORT_ATTEMPTS = 5
_POLL_S = 0.01
_SERVE_POLL_S = 0.2
_FAST_STOP_S = 10.0
_IMMEDIATE_STOP_S = 5.0
_REMOVE_S = 5.0
_LOG_TAIL_CHARS = 2000
_SHARED_MEMORY_LINE = 6  # of postmaster.pid, as pg_ctl reads it: "key id"
_READY_LINE = 7
_PR_SET_PDEATHSIG = 1
_IPC_RMID = 0


@dataclass(frozen=True, slots=True)
class Orders:
    """What the guard is told, as one JSON argument. It holds no secret, for every user sees arguments."""

    directory: str
    initdb: list[str]
    postgres: list[str]
    uid: int | None
    gid: int | None
    alive_fd: int
    lock_path: str | None
    linger_s: float


class StoppedError(Exception):
    """The users left, or a signal came, before the server was ready."""


class ProgramError(Exception):
    """A program of Postgres ended early; the text is the end of its log."""


class Watch:
    """Says when to stop: the lease was dropped by its last holder, or a signal came."""

    def __init__(self, lease_fd: int, lock_path: str | None, lease_path: Path) -> None:
        self._poll: select.poll | None = select.poll()
        self._poll.register(lease_fd, select.POLLIN)
        self._lease_fd = lease_fd
        self._lock_path = lock_path
        self._lease_path = lease_path
        self._alone_since: float | None = None
        self._signalled = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def must_stop(self, wait_s: float, linger_s: float = 0.0) -> bool:
        """Wait up to `wait_s` seconds for a reason to stop. That nobody is there is one after `linger_s` seconds."""
        if self._signalled or self._poll is None:
            time.sleep(0 if self._signalled else wait_s)
            return self._signalled
        events = self._poll.poll(wait_s * 1000)
        if not events:
            self._alone_since = None
            return self._signalled
        if events[0][1] & select.POLLIN and DETACH in os.read(self._lease_fd, 64):
            self._poll = None
            return False
        if self._alone_since is None:
            self._alone_since = time.monotonic()
        if time.monotonic() - self._alone_since < linger_s:
            time.sleep(wait_s)
            return self._signalled
        return self._last_holder_left()

    def _on_signal(self, _number: int, _frame: object) -> None:
        self._signalled = True

    def _last_holder_left(self) -> bool:
        with contextlib.ExitStack() as stack:
            if self._lock_path is not None:
                # Joining happens under this lock, so nobody can come between the look and the removal of the lease.
                lock = stack.enter_context(open(self._lock_path, "a", encoding="ascii"))
                fcntl.flock(lock, fcntl.LOCK_EX)
            if self._poll is None or not self._poll.poll(0):
                return False
            self._lease_path.unlink(missing_ok=True)
            return True


class Guard:
    """Carries the orders out, from an empty directory to no directory."""

    def __init__(self, orders: Orders, watch: Watch) -> None:
        self._orders = orders
        self._watch = watch
        self._directory = Path(orders.directory)
        self._log_fd = os.open(self._directory / LOG, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._server: subprocess.Popen[bytes] | None = None

    def make_cluster(self) -> None:
        """Run initdb. Raises ProgramError or StoppedError."""
        process = self._launch(self._orders.initdb)
        try:
            while process.poll() is None:
                if self._watch.must_stop(_POLL_S):
                    raise StoppedError
        finally:
            _end(process)
        if process.returncode != 0:
            raise ProgramError(f"initdb ended with status {process.returncode}:\n{self._log_tail()}")

    def start(self) -> int:
        """Start the server on a free port of its own choice and give that port. Raises ProgramError or StoppedError."""
        for _ in range(_PORT_ATTEMPTS):
            port = _free_port()
            self._server = self._launch([*self._orders.postgres, "-c", f"port={port}"])
            if self._becomes_ready():
                return port
            if _is_free(port):  # it was not the port that somebody else took
                break
        raise ProgramError(f"the server ended before it was ready:\n{self._log_tail()}")

    def serve(self) -> None:
        """Return when the server has ended, or should."""
        assert self._server is not None
        while self._server.poll() is None:
            if self._watch.must_stop(_SERVE_POLL_S, self._orders.linger_s):
                return

    def clear(self) -> None:
        """Stop the server: politely, at once, by force; then remove its directory."""
        (self._directory / LEASE).unlink(missing_ok=True)
        if self._server is not None:
            _end(self._server)
            if self._server.returncode == -signal.SIGKILL:
                self._remove_shared_memory()
        os.close(self._log_fd)
        deadline = time.monotonic() + _REMOVE_S
        while self._directory.exists() and time.monotonic() < deadline:
            # A killed server's other processes may still write for a moment.
            shutil.rmtree(self._directory, ignore_errors=True)
            time.sleep(0 if not self._directory.exists() else _POLL_S)

    def _becomes_ready(self) -> bool:
        assert self._server is not None
        while self._server.poll() is None:
            if self._pid_file_line(_READY_LINE) == "ready":
                return True
            if self._watch.must_stop(_POLL_S):
                raise StoppedError
        return False

    def _remove_shared_memory(self) -> None:
        identifier = self._pid_file_line(_SHARED_MEMORY_LINE).split()[1:]
        if identifier:
            ctypes.CDLL(None).shmctl(int(identifier[0]), _IPC_RMID, None)

    def _pid_file_line(self, index: int) -> str:
        try:
            lines = (self._directory / DATA / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ""
        return lines[index].strip() if index < len(lines) else ""

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        guard_pid = os.getpid()

        def follow_the_guard() -> None:
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
                if os.getppid() != guard_pid:
                    os._exit(1)

        return subprocess.Popen(
            command,
            cwd=self._directory,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=self._log_fd,
            stderr=self._log_fd,
            pass_fds=(self._orders.alive_fd,),
            start_new_session=True,
            user=self._orders.uid,
            group=self._orders.gid,
            extra_groups=None if self._orders.gid is None else [self._orders.gid],
            umask=0o077,
            preexec_fn=follow_the_guard,  # the guard has one thread
        )

    def _log_tail(self) -> str:
        return (self._directory / LOG).read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARS:].strip()


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program of Postgres: fast shutdown, then immediate, then kill."""
    for number, patience_s in ((signal.SIGINT, _FAST_STOP_S), (signal.SIGQUIT, _IMMEDIATE_STOP_S)):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience_s)
    if process.poll() is None:
        process.kill()
    process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _answer(document: dict[str, object]) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(document), flush=True)


def main() -> None:
    """Serve until the last user has left."""
    if os.fork() != 0:
        os._exit(0)  # nobody's child: whoever asked for the server may end first
    orders = Orders(**json.loads(sys.argv[1]))
    watch = Watch(sys.stdin.fileno(), orders.lock_path, Path(orders.directory) / LEASE)
    guard = Guard(orders, watch)
    try:
        guard.make_cluster()
        _answer({"port": guard.start(), "guard_pid": os.getpid()})
        guard.serve()
    except (ProgramError, OSError, subprocess.SubprocessError) as failure:
        _answer({"failure": str(failure)})
    except StoppedError:
        pass
    finally:
        guard.clear()


if __name__ == "__main__":
    main()
