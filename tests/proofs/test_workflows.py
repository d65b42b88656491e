"""The workflows for GitHub Actions: each of their commands works as it is written, in the environment it has there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from proofs.scratch import Checkout

_WORKFLOWS = (".github/workflows/main.yml", ".github/workflows/nightly.yml", ".github/workflows/pull_request.yml")
# What the expressions are in a repository without a remote cache.
_VALUES = {
    "${{ vars.REMOTE_CACHE_ADDRESS != '' }}": "false",
    "${{ vars.REMOTE_CACHE_ADDRESS }}": "",
    "origin/${{ github.base_ref }}": "main",
    "${{ matrix.shard }}": "0",
    "${{ matrix.server }}": "RAPIDBYTE_TEST_POSTGRES=16",
    "${{ matrix.proofs }}": "bytes or wheel",
}
# Where all of the tests or a wheel are asked for, little is asked for instead.
_ALL = re.compile(r" (?:tests|tests/e2e)?::$")
_LITTLE = {
    ".ci/run": "./pants lint --only=unowned-files ::",
    "./pants package src/rapidbyte:wheel": "./pants package pants-plugins:wheel",
    './pants run tests/proofs/main.py -- -k "$PROOFS"': (
        './pants run tests/proofs/main.py -- -k "$PROOFS" --collect-only'
    ),
    "./pants run tests/flake_hunt/main.py -- --rounds=3": (
        "./pants run tests/flake_hunt/main.py -- --rounds=1 tests/boundary/test_frames.py"
    ),
}


def _commands(workflow: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    """Give each command with its environment."""
    for job in workflow["jobs"].values():
        for step in job["steps"]:
            if "run" in step:
                environment = {**workflow["env"], **job.get("env", {}), **step.get("env", {})}
                values = {name: _VALUES.get(str(value), str(value)) for name, value in environment.items()}
                yield step["run"].strip(), values


@pytest.mark.parametrize("file", _WORKFLOWS, ids=lambda file: Path(file).stem)
def test_commands_of_a_workflow_work_as_they_are_written(checkout: Checkout, file: str) -> None:
    commands = list(_commands(yaml.safe_load((checkout.folder / file).read_text(encoding="utf-8"))))
    assert commands
    for command, environment in commands:
        assert "${{" not in "".join(environment.values()), environment
        little = _LITTLE.get(command) or _ALL.sub(" tests/unit/config/test_load.py", command)
        ended = checkout.run("bash", "-e", "-c", little, **environment)
        assert ended.code == 0, f"{little}\n{ended.text}"
