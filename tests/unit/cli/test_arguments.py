"""The command line's grammar, and what is said of mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapidbyte import __version__
from rapidbyte.cli.arguments import COMMAND_NAMES, Options, parse
from rapidbyte.cli.process import COMMANDS


def options(command: str, **given: object) -> Options:
    values: dict[str, object] = {
        "is_json": False,
        "is_quiet": False,
        "file": None,
        "is_kept": False,
        "pipeline": None,
        "limit": 0,
        "state": None,
    }
    return Options(command, **(values | given))  # type: ignore[arg-type]  # the names are those of the fields


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("run p.yaml", options("run", file=Path("p.yaml"))),
        ("run --json -q p.yaml", options("run", file=Path("p.yaml"), is_json=True, is_quiet=True)),
        ("check p.yaml --json", options("check", file=Path("p.yaml"), is_json=True)),
        ("discover p.yaml --quiet", options("discover", file=Path("p.yaml"), is_quiet=True)),
        ("demo", options("demo")),
        ("demo --keep", options("demo", is_kept=True)),
        ("runs", options("runs", limit=20)),
        (
            "runs --pipeline nightly --limit 3 --state s.db",
            options("runs", pipeline="nightly", limit=3, state=Path("s.db")),
        ),
    ],
)
def test_command_line_is_read(arguments: str, expected: Options) -> None:
    assert parse(arguments.split()) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("rnu p.yaml", "'rnu' is not a command; did you mean 'run'?"),
        ("sync", "'sync' is not a command; the commands are run, check, discover, demo, runs"),
        ("p.yaml", "'p.yaml' is not a command; to move its data: rapidbyte run p.yaml"),
        ("run", "the following arguments are required: FILE"),
        ("run a.yaml b.yaml", "unrecognized arguments: b.yaml"),
        ("runs --limit 0", "argument --limit: '0' is not a whole number of at least 1"),
        ("runs --limit x", "argument --limit: 'x' is not a whole number of at least 1"),
    ],
)
def test_mistake_ends_with_code_2_and_one_line(
    arguments: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments.split())
    assert caught.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    first, second = captured.err.splitlines()
    assert first == f"error: {message}"
    assert second.endswith("--help` shows the usage.")


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"rapidbyte {__version__}\n")


def test_every_command_has_a_module() -> None:
    assert set(COMMANDS) == set(COMMAND_NAMES)
