"""The command line's grammar, and what is said of mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapidbyte import __version__
from rapidbyte.cli.arguments import COMMAND_NAMES, Options, parse
from rapidbyte.cli.process import COMMANDS


def options(command: str, **given: object) -> Options:
    return Options(command, **given)  # type: ignore[arg-type]  # the names are those of the fields


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("run p.yaml", options("run", file=Path("p.yaml"))),
        ("run --json -q p.yaml", options("run", file=Path("p.yaml"), is_json=True, is_quiet=True)),
        ("run p.yaml --dry-run", options("run", file=Path("p.yaml"), is_dry=True)),
        ("run p.yaml --dry-run --limit 3", options("run", file=Path("p.yaml"), is_dry=True, limit=3)),
        ("check p.yaml --json", options("check", file=Path("p.yaml"), is_json=True)),
        ("discover p.yaml --quiet", options("discover", file=Path("p.yaml"), is_quiet=True)),
        ("schema", options("schema")),
        ("demo", options("demo")),
        ("demo --keep", options("demo", is_kept=True)),
        ("runs", options("runs", limit=20)),
        (
            "runs --pipeline nightly --limit 3 --state s.db",
            options("runs", pipeline="nightly", limit=3, state="s.db"),
        ),
        ("runs --file p.yaml", options("runs", limit=20, file=Path("p.yaml"))),
        (
            "dlq list --pipeline p --stream s --run r --all --limit 7 --json",
            options(
                "dlq",
                action="list",
                pipeline="p",
                stream="s",
                run_id="r",
                includes_replayed=True,
                limit=7,
                is_json=True,
            ),
        ),
        ("dlq list", options("dlq", action="list", limit=100)),
        ("dlq show 9223372036854775807", options("dlq", action="show", letter_ids=(2**63 - 1,))),
        ("dlq delete 1 2", options("dlq", action="delete", letter_ids=(1, 2))),
        ("dlq delete --stream s", options("dlq", action="delete", stream="s")),
        ("dlq replay p.yaml", options("dlq", action="replay", file=Path("p.yaml"))),
        (
            "dlq replay p.yaml 1 2 --stream s --run r --dry-run",
            options(
                "dlq", action="replay", file=Path("p.yaml"), letter_ids=(1, 2), stream="s", run_id="r", is_dry=True
            ),
        ),
        ("state list --pipeline p -q", options("state", action="list", pipeline="p", is_quiet=True)),
        ("state show p --state s.db", options("state", action="show", pipeline="p", state="s.db")),
        ("cdc status p.yaml --json", options("cdc", action="status", file=Path("p.yaml"), is_json=True)),
        ("cdc drop p.yaml --yes", options("cdc", action="drop", file=Path("p.yaml"), is_sure=True)),
        ("state reset p --stream s", options("state", action="reset", pipeline="p", stream="s")),
    ],
)
def test_command_line_is_read(arguments: str, expected: Options) -> None:
    assert parse(arguments.split()) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "the following arguments are required: COMMAND"),
        ("rnu p.yaml", "'rnu' is not a command; did you mean 'run'?"),
        ("sync", "'sync' is not a command; the commands are run, check, discover, schema, demo, runs, dlq, state, cdc"),
        ("p.yaml", "'p.yaml' is not a command; to move its data: rapidbyte run p.yaml"),
        ("run", "the following arguments are required: FILE"),
        ("run a.yaml b.yaml", "unrecognized arguments: b.yaml"),
        ("run p.yaml --limit 3", "argument --limit: is for --dry-run only; a run moves all rows"),
        ("runs --limit 0", "argument --limit: '0' is not a whole number of at least 1"),
        ("runs --state s.db --file p.yaml", "argument --file: not allowed with argument --state"),
        ("dlq", "the following arguments are required: ACTION"),
        ("dlq show 0", "argument ID: '0' is not the id of a row"),
        ("dlq show 9223372036854775808", "argument ID: '9223372036854775808' is not the id of a row"),
        ("cdc", "the following arguments are required: ACTION"),
        ("state reset", "the following arguments are required: PIPELINE"),
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
