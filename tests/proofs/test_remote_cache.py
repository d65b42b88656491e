"""What one developer ran, another does not run again; and a cache that is slow or gone only costs time."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.shared_server import lease_folder, lease_server
from proofs.cache_server import cache_server, cache_settings, free_port
from proofs.scratch import Checkout, copied_checkout

# Connectors and what runs them, a crate's own tests, and tests that need neither.
_SUITES = ("tests/e2e/test_types.py", "tests/unit/config::", "connectors/pgwire")


@pytest.fixture(scope="module")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a remote cache that is empty at first."""
    with cache_server(tmp_path_factory.mktemp("cache") / "server") as port:
        yield port


def _fresh(folder: Path) -> dict[str, str]:
    """The caches of a machine on which nothing was built."""
    return {
        "PANTS_LOCAL_STORE_DIR": str(folder / "store"),
        "PANTS_NAMED_CACHES_DIR": str(folder / "caches"),
        "PANTS_PANTSD": "false",
    }


def test_second_developer_compiles_nothing_and_runs_no_test_that_passed(server_port: int, tmp_path: Path) -> None:
    with copied_checkout(tmp_path / "first", **_fresh(tmp_path / "one"), **cache_settings(server_port)) as first:
        ran = first.pants("test", *_SUITES)
        assert ran.code == 0, ran.text
        assert {"connectors/pgwire", "tests/e2e/test_types.py", "tests/unit/config/test_load.py"} <= ran.ran
    own = _fresh(tmp_path / "two")
    with copied_checkout(
        tmp_path / "second of another name", **own, **cache_settings(server_port, can_write=False)
    ) as second:
        answered = second.pants("test", *_SUITES)
        assert answered.code == 0, answered.text
    assert answered.ran == frozenset()
    assert answered.answered_remotely == ran.ran
    # Pants starts a process while it asks the cache, and ends it when the answer is there: so a folder may be begun.
    assert _modules_compiled(tmp_path / "one") != []
    assert _modules_compiled(tmp_path / "two") == []


def _modules_compiled(machine: Path) -> list[Path]:
    return list((machine / "caches/cargo_target").rglob("*.wasm"))


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]

        def take() -> None:
            try:
                while True:
                    taken.append(listener.accept()[0])
            except OSError:
                pass

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield port
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for connection in taken:
        connection.close()


def test_cache_that_is_gone_costs_no_verdict(checkout: Checkout) -> None:
    ended = checkout.pants("--no-pantsd", "test", "tests/unit/config::", **cache_settings(free_port()))
    assert ended.code == 0, ended.text


def test_cache_that_never_answers_costs_no_verdict(checkout: Checkout, silent_port: int) -> None:
    ended = checkout.pants("--no-pantsd", "test", "tests/unit/config::", **cache_settings(silent_port))
    assert ended.code == 0, ended.text


def test_result_that_came_from_somebody_s_server_is_never_shared(checkout: Checkout) -> None:
    with lease_server(lease_folder()) as postgres:
        runs = [
            checkout.pants("test", "tests/e2e/test_existing_target.py", RAPIDBYTE_TEST_DSN=postgres.address.dsn())
            for _ in range(2)
        ]
    for run in runs:
        assert run.code == 0, run.text
        assert run.ran == {"tests/e2e/test_existing_target.py"}
