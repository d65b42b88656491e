"""Fixtures that run pipelines: a template of fixtures/pipelines, filled with the test's server and schemas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

import rapidbyte
from harness.names import SchemaPair
from rapidbyte.embedded import ServerAddress
from rapidbyte.model import RunReport


class RunPipeline(Protocol):
    """Runs a template by its path in the repository; keywords fill further variables of the template."""

    def __call__(self, template: str, /, **variables: str) -> RunReport: ...


class RunListened(Protocol):
    """Runs a template with a listener for its events; keywords fill further variables of the template."""

    def __call__(
        self, template: str, listener: Callable[[rapidbyte.Event], None], /, **variables: str
    ) -> RunReport: ...


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep calls that are given no state away from the user's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state-home"))


@pytest.fixture
def state_path(tmp_path: Path) -> Path:
    """Where the test's runs are recorded."""
    return tmp_path / "state.db"


@pytest.fixture
def variables(server: ServerAddress, schemas: SchemaPair) -> Mapping[str, str]:
    """What every template may refer to."""
    return {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": server.user,
        "PGPASSWORD": server.password,
        "PGDATABASE": server.database,
        "DESTINATION_HOST": server.host,  # where a test may put something in between
        "DESTINATION_PORT": str(server.port),
        "DESTINATION_DATABASE": server.database,
        "SOURCE_SCHEMA": schemas.source,
        "DESTINATION_SCHEMA": schemas.destination,
    }


@pytest.fixture
def run_pipeline(variables: Mapping[str, str], state_path: Path) -> RunPipeline:
    """Run a template in this process, with the test's own state."""

    def run(template: str, /, **more: str) -> RunReport:
        return rapidbyte.run_pipeline(Path(template), env={**variables, **more}, state_path=state_path)

    return run


@pytest.fixture
def run_listened(variables: Mapping[str, str], state_path: Path) -> RunListened:
    """Run a template in this process, with the test's own state, and tell what happens."""

    def run(template: str, listener: Callable[[rapidbyte.Event], None], /, **more: str) -> RunReport:
        return rapidbyte.run_pipeline(
            Path(template), env={**variables, **more}, state_path=state_path, on_event=listener
        )

    return run
