"""Fixtures that kill a run at a named point."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from harness.evidence import Call, Evidence
from harness.fork_server import ForkServer
from rapidbyte.engine.points import VARIABLE


class KillRun(Protocol):
    """Runs a template and has the process killed at a point, which must be reached; keywords are further variables."""

    def __call__(self, template: str, point: str, /, **variables: str) -> None: ...


@pytest.fixture(scope="session")
def fork_server() -> Iterator[ForkServer]:
    """Where runs that are to be killed come from."""
    with ForkServer() as server:
        yield server


@pytest.fixture
def kill_run(fork_server: ForkServer, variables: Mapping[str, str], state_path: Path, evidence: Evidence) -> KillRun:
    """Run a template in a process of its own, with the test's own state, until it dies at a point as by `kill -9`."""

    def kill(template: str, point: str, /, **more: str) -> None:
        environment = {**variables, **more, VARIABLE: point}
        ended = fork_server.run(template, environment, state_path)
        document = evidence.document(template, environment)
        evidence.calls.append(Call(f"a run to be killed at {point}", document, lambda: f"{ended.code}\n{ended.stderr}"))
        assert ended.code == -signal.SIGKILL, f"{point} was not reached: the run ended with {ended.code}"

    return kill
