"""One Postgres in a container for all test processes of a user: the first starts it, the last one out removes it.

Whoever uses the container holds a shared lock on a file of the lease folder, which the kernel takes from the dead.
Coming and going happen under another lock, so the one who goes sees whether it was the last. A container that was left
over, because all of its users were killed, serves the next run; one that does not answer is found by its label, and
replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from docker.errors import DockerException, ImageNotFound, NotFound  # type: ignore[import-untyped]  # it has no types
from docker.models.containers import Container  # type: ignore[import-untyped]  # it has no types
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from harness.errors import ProviderError
from harness.shared_server import SETTINGS, locked, private_folder
from harness.waiting import PATIENCE_S
from rapidbyte.embedded import ServerAddress

LABEL = "rapidbyte.tests.lease"
_PORT = 5432
_CONNECT_TIMEOUT_S = 10
_LOG_TAIL_LINES = 20

# Of the settings of the embedded server those that every version knows; and what the harness reads a log by.
_NAMES = ("fsync", "full_page_writes", "max_connections", "synchronous_commit", "wal_level")
_COMMAND = [word for name in _NAMES for word in ("-c", f"{name}={SETTINGS[name]}")] + ["-c", "log_timezone=UTC"]


@dataclass(slots=True)
class ContainerLease:
    """A share in a running container."""

    address: ServerAddress
    container: Container
    docker: DockerClient
    folder: Path
    holders: int | None

    def close(self) -> None:
        """Give the share back; the last one removes the container, unless somebody kept it."""
        self._leave(is_kept=False)

    def keep(self) -> str:
        """Give the share back, have the container stay for good, and say how to remove it."""
        self._leave(is_kept=True)
        return f"Remove it with: docker rm --force --volumes {self.container.short_id}"

    def log(self) -> str:
        """Read what the server has written so far; its times are in UTC."""
        return str(self.container.logs().decode(errors="replace"))

    def _leave(self, *, is_kept: bool) -> None:
        if self.holders is None:
            return
        with locked(self.folder / "lock"):
            os.close(self.holders)
            self.holders = None
            kept = self.folder / "kept"
            if is_kept:
                kept.write_text(str(self.container.id), encoding="ascii")
            with _alone(self.folder) as is_alone:
                if is_alone and not _is_kept(kept, self.container):
                    _remove(self.container)
        self.docker.client.close()


def container_folder(image: str) -> Path:
    """Give the folder in which processes that want a container of `image` meet; made for this user alone."""
    return private_folder("container", [image, *_COMMAND])


def lease_container(folder: Path, image: str) -> ContainerLease:
    """Join the container of a lease folder, or start one of `image`, which has the interface of the official ones.

    Raises ProviderError.
    """
    docker = _docker(image)
    current = folder / "current"
    with locked(folder / "lock"):
        holders = os.open(folder / "holders", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(holders, fcntl.LOCK_SH)
            joined = _join(docker, current)
            container, address = joined if joined is not None else _start(docker, folder, image)
            current.write_text(json.dumps([container.id, address.to_json()]), encoding="utf-8")
        except BaseException:
            os.close(holders)
            docker.client.close()
            raise
    return ContainerLease(address, container, docker, folder, holders)


def _docker(image: str) -> DockerClient:
    try:
        return DockerClient()  # which asks the engine for its version
    except DockerException as error:
        raise ProviderError(
            f"A container of {image} was asked for, and no Docker engine answers: {error}. Start one, or set "
            "DOCKER_HOST to where it listens. Without a container, the tests bring a server of their own."
        ) from error


def _join(docker: DockerClient, current: Path) -> tuple[Container, ServerAddress] | None:
    try:
        identifier, address = json.loads(current.read_text(encoding="utf-8"))
        container = docker.client.containers.get(identifier)
    except (FileNotFoundError, NotFound):
        return None
    joined = ServerAddress.from_json(address)
    return (container, joined) if _answers(joined) else None


def _start(docker: DockerClient, folder: Path, image: str) -> tuple[Container, ServerAddress]:
    for left in docker.client.containers.list(all=True, filters={"label": f"{LABEL}={folder}"}):
        _remove(left)
    testcontainers_config.ryuk_disabled = True  # it would take the container along with the process that started it
    password = secrets.token_urlsafe(18)
    wanted = (
        DockerContainer(image)
        .with_env("POSTGRES_PASSWORD", password)
        .with_exposed_ports(_PORT)
        .with_command(_COMMAND)
        .with_kwargs(labels={LABEL: str(folder)})
    )
    try:
        wanted.start()
    except ImageNotFound as error:
        raise ProviderError(
            f"There is no image {image}, and it cannot be pulled. Check its name, or load it."
        ) from error
    except DockerException as error:
        raise ProviderError(f"A container of {image} cannot be started: {error}") from error
    finally:
        wanted.get_docker_client().client.close()
    container = docker.client.containers.get(wanted.get_wrapped_container().id)
    port = int(wanted.get_exposed_port(_PORT))
    address = ServerAddress(wanted.get_container_host_ip(), port, "postgres", password, "postgres")
    _wait_until_ready(container, address, image)
    return container, address


def _wait_until_ready(container: Container, address: ServerAddress, image: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not _answers(address):
        container.reload()
        if container.status != "running" or time.monotonic() > deadline:
            said = container.logs(tail=_LOG_TAIL_LINES).decode(errors="replace").strip()
            _remove(container)
            raise ProviderError(f"The container of {image} has no Postgres that answers. Its last lines:\n{said}")
        time.sleep(0.1)


def _answers(address: ServerAddress) -> bool:
    try:
        psycopg.connect(address.dsn(), connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """Tell whether nobody uses the container of a folder; whoever asks holds its lock, so nobody comes in between."""
    with (folder / "holders").open("rb") as holders:
        try:
            fcntl.flock(holders, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _is_kept(kept: Path, container: Container) -> bool:
    return kept.exists() and kept.read_text(encoding="ascii") == container.id


def _remove(container: Container) -> None:
    container.remove(force=True, v=True)
