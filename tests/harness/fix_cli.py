"""Fixtures of the command line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.cli import Cli
from harness.evidence import Evidence


@pytest.fixture
def cli(variables: Mapping[str, str], tmp_path: Path, evidence: Evidence) -> Cli:
    """The `rapidbyte` command, with the variables of the test's server and schemas."""
    return Cli(variables, tmp_path, evidence)
