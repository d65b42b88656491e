"""Fixtures of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.cli import Cli
from harness.evidence import Evidence
from harness.fork_server import ForkServer


@pytest.fixture
def cli(variables: Mapping[str, str], tmp_path: Path, evidence: Evidence, fork_server: ForkServer) -> Cli:
    """The `rapidbyte` command, with the variables of the test's server and schemas."""
    return Cli(variables, tmp_path, evidence, fork_server.command)
