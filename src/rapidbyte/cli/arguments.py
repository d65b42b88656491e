"""The command line's grammar."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rapidbyte import __version__

COMMAND_NAMES = ("run", "check", "discover", "demo", "runs")
_EPILOG = """\
exit codes:
  0  done
  1  a bug of rapidbyte
  2  wrong usage, pipeline document or connector name
  3  a server cannot be reached, or does not let us in
  4  the data or the schema does not fit, or a check failed
  5  the engine or a connector broke down
  130  stopped by Ctrl-C (143 by SIGTERM)
"""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for. `file` and `state` are None for commands without them."""

    command: str
    is_json: bool
    is_quiet: bool
    file: Path | None
    is_kept: bool
    pipeline: str | None
    limit: int
    state: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line. Prints help or what is wrong and raises SystemExit, with code 2 for a mistake."""
    parser = _parser()
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    if command is not None and command not in COMMAND_NAMES:
        parser.error(_unknown(command))
    values = parser.parse_args(arguments)
    return Options(
        command=values.command,
        is_json=values.json,
        is_quiet=values.quiet,
        file=getattr(values, "file", None),
        is_kept=getattr(values, "keep", False),
        pipeline=getattr(values, "pipeline", None),
        limit=getattr(values, "limit", 0),
        state=getattr(values, "state", None),
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}\n`{self.prog} --help` shows the usage.\n")


def _parser() -> _Parser:
    parser = _Parser(
        prog="rapidbyte",
        description="Move data between databases through connectors compiled to WebAssembly.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"rapidbyte {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    shared = _Parser(add_help=False)
    shared.add_argument("--json", action="store_true", help="write the result as one JSON document")
    shared.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    file = _Parser(add_help=False)
    file.add_argument("file", type=Path, metavar="FILE", help="the pipeline document (YAML)")
    commands.add_parser("run", parents=[file, shared], help="move the data of a pipeline")
    commands.add_parser("check", parents=[file, shared], help="verify a pipeline without moving a row")
    commands.add_parser("discover", parents=[file, shared], help="list what a pipeline's source offers")
    demo = commands.add_parser("demo", parents=[shared], help="move a real data set through a private Postgres")
    demo.add_argument("--keep", action="store_true", help="leave the private Postgres running and show its DSN")
    runs = commands.add_parser("runs", parents=[shared], help="list the latest runs")
    runs.add_argument("--pipeline", metavar="NAME", help="only those of this pipeline")
    runs.add_argument("--limit", type=_count, default=20, metavar="N", help="at most so many (20)")
    runs.add_argument("--state", type=Path, metavar="PATH", help="the state file, where a pipeline names its own")
    return parser


def _unknown(command: str) -> str:
    if command.endswith((".yaml", ".yml")):
        return f"{command!r} is not a command; to move its data: rapidbyte run {command}"
    near = difflib.get_close_matches(command, COMMAND_NAMES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"the commands are {', '.join(COMMAND_NAMES)}"
    return f"{command!r} is not a command; {hint}"


def _count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return number
