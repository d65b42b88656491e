"""A server in a container is shared as the embedded one is: by all who live, removed by the last, replaced when dead.

`RAPIDBYTE_PROOF_IMAGE` names the image, which has the interface of the official ones: postgres:18, for instance.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from testcontainers.core.docker_client import DockerClient

from harness.container import LABEL
from harness.errors import ProviderError
from harness.providers import CONTAINER_VARIABLE, provide_server
from harness.python_path import PYTHON_PATH

_IMAGE_VARIABLE = "RAPIDBYTE_PROOF_IMAGE"
_MISSING = (
    f"No image is named. Run it as: {_IMAGE_VARIABLE}=postgres:18 ./pants run tests/proofs/main.py -- -k container"
)
_HOLD = """
import sys
from harness.providers import provide_server
provided = provide_server()
print(provided.address.dsn(), flush=True)
if sys.stdin.read() == "keep":
    print(provided.keep())
else:
    provided.close()
"""


class Holder:
    """A process that holds a share of the container; `dsn` is where that is."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        assert process.stdout is not None
        self.dsn = process.stdout.readline().strip()

    def leave(self, word: str = "") -> str:
        """Let it give its share back and end; return what it says last."""
        said, _ = self.process.communicate(word)
        assert self.process.returncode == 0
        return said

    def kill(self) -> None:
        """Kill it without a chance to clean up."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """The environment of processes that meet at a lease of this test alone."""
    assert os.environ.get(_IMAGE_VARIABLE), _MISSING
    monkeypatch.setenv(CONTAINER_VARIABLE, os.environ[_IMAGE_VARIABLE])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return {**os.environ, "PYTHONPATH": PYTHON_PATH}


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[DockerClient]:
    """The engine, on which nothing of this test's stays."""
    client = DockerClient()
    yield client
    for container in _ours(client, tmp_path):
        client.client.containers.get(container).remove(force=True, v=True)
    client.client.close()


def _ours(docker: DockerClient, cache: Path) -> list[str]:
    found = docker.client.containers.list(all=True, filters={"label": LABEL})
    return [str(each.id) for each in found if each.labels[LABEL].startswith(str(cache))]


@contextmanager
def _holder(environment: Mapping[str, str]) -> Iterator[Holder]:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Holder(process)
        finally:
            process.kill()


def test_container_is_shared_and_goes_with_the_last(
    environment: Mapping[str, str], docker: DockerClient, tmp_path: Path
) -> None:
    with _holder(environment) as first, _holder(environment) as second:
        assert first.dsn == second.dsn
        assert len(_ours(docker, tmp_path)) == 1
        first.leave()
        psycopg.connect(second.dsn).close()
        second.leave()
        assert _ours(docker, tmp_path) == []


def test_container_of_killed_users_serves_the_next_who_removes_it(
    environment: Mapping[str, str], docker: DockerClient, tmp_path: Path
) -> None:
    with _holder(environment) as first, _holder(environment) as second:
        first.kill()
        second.kill()
        (left,) = _ours(docker, tmp_path)
        with _holder(environment) as third:
            assert (third.dsn, _ours(docker, tmp_path)) == (first.dsn, [left])
            third.leave()
            assert _ours(docker, tmp_path) == []


def test_dead_container_is_replaced(environment: Mapping[str, str], docker: DockerClient, tmp_path: Path) -> None:
    with _holder(environment) as first:
        (dead,) = _ours(docker, tmp_path)
        docker.client.containers.get(dead).kill()
        with _holder(environment) as second:
            assert second.dsn != first.dsn
            (living,) = _ours(docker, tmp_path)
            assert living != dead


def test_kept_container_stays_and_is_told_how_to_be_removed(
    environment: Mapping[str, str], docker: DockerClient, tmp_path: Path
) -> None:
    with _holder(environment) as first, _holder(environment) as second:
        (kept,) = _ours(docker, tmp_path)
        assert first.leave("keep") == f"Remove it with: docker rm --force --volumes {kept[:12]}\n"
        second.leave()
        assert _ours(docker, tmp_path) == [kept]


@pytest.mark.usefixtures("environment")
def test_image_that_is_nowhere_is_an_error_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTAINER_VARIABLE, "localhost:1/no-such-image")
    with pytest.raises(ProviderError, match="no-such-image"):
        provide_server()
