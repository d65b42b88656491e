"""A remote cache: BuildGrid, installed in an environment of its own, serving a folder on this machine alone."""

from __future__ import annotations

import socket
import subprocess
import time
import venv
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_REQUIREMENT = "BuildGrid==0.4.4"
_START_S = 60.0
_CONFIG = """\
server:
  - !channel
    address: 127.0.0.1:{port}
    insecure-mode: true
authorization:
  method: none
storages:
  - !disk-storage &cas
    path: {folder}/cas
caches:
  - !lru-action-cache &actions
    storage: *cas
    max-cached-refs: 100000
    allow-updates: true
    cache-failed-actions: false
instances:
  - name: main
    storages: [*cas]
    caches: [*actions]
    services:
      - !action-cache
        cache: *actions
      - !cas
        storage: *cas
      - !bytestream
        storage: *cas
thread-pool-size: 50
"""


def cache_settings(port: int, *, can_write: bool = True) -> Mapping[str, str]:
    """Give what Pants needs in its environment to use a cache at a port of this machine, whatever listens there."""
    return {
        "PANTS_REMOTE_CACHE_READ": "true",
        "PANTS_REMOTE_CACHE_WRITE": "true" if can_write else "false",
        "PANTS_REMOTE_STORE_ADDRESS": f"grpc://127.0.0.1:{port}",
        "PANTS_REMOTE_INSTANCE_NAME": "main",
    }


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def cache_server(folder: Path) -> Iterator[int]:
    """Install the server and run it within the block, at the port that is given."""
    folder.mkdir()
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", _REQUIREMENT, "setuptools<81"], check=True)
    port = free_port()
    config = folder / "server.yml"
    config.write_text(_CONFIG.format(port=port, folder=folder), encoding="utf-8")
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [folder / "venv/bin/bgd", "server", "start", config], cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait(process, port, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline_s = time.monotonic() + _START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.2)
    raise RuntimeError(f"The cache server does not answer:\n{log.read_text(errors='replace')}")
