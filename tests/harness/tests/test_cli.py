"""A command that is forked is to its user what one is that begins from nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cli import Cli, finish
from harness.evidence import Evidence
from harness.fork_server import ForkServer


@pytest.fixture(scope="module")
def fork_server() -> Iterator[ForkServer]:
    with ForkServer() as server:
        yield server


@pytest.fixture
def cli(tmp_path: Path, fork_server: ForkServer) -> Cli:
    return Cli({}, tmp_path, Evidence(), fork_server.command)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("runs", "--json"), 0),
        (("run", "--help"), 0),
        (("run", "größe.yaml"), 2),
        (("runs", "--no-such-option"), 2),
        (("state", "reset", "--pipeline"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_it_prints_and_ends_as_a_process_from_nothing_does(cli: Cli, arguments: tuple[str, ...], code: int) -> None:
    with cli.start(*arguments) as process:
        alone = finish(process)
    assert cli.run(*arguments) == alone
    assert alone.code == code


def test_it_has_its_own_environment_alone_and_leaves_none_to_the_next(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "of the test"))
    for place in ("one", "other"):
        assert (
            str(tmp_path / place / "rapidbyte" / "state.db")
            in cli.run("runs", XDG_STATE_HOME=str(tmp_path / place)).stderr
        )
    assert str(tmp_path / ".local" / "state" / "rapidbyte" / "state.db") in cli.run("runs").stderr
