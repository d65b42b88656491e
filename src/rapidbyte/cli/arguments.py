"""The command line's grammar."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from rapidbyte import __version__

COMMAND_NAMES = ("run", "check", "discover", "schema", "demo", "runs", "dlq", "state", "cdc")
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
    """What was asked for; what a command does not know is None, or empty. `state` is a path or a connection URI."""

    command: str
    is_json: bool = False
    is_quiet: bool = False
    action: str | None = None
    file: Path | None = None
    is_dry: bool = False
    is_kept: bool = False
    is_sure: bool = False
    pipeline: str | None = None
    stream: str | None = None
    run_id: str | None = None
    letter_ids: tuple[int, ...] = ()
    includes_replayed: bool = False
    limit: int = 0
    state: str | None = None


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line. Prints help or what is wrong and raises SystemExit, with code 2 for a mistake."""
    parser = _parser()
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    if command is not None and command not in COMMAND_NAMES:
        parser.error(_unknown(command))
    given = vars(parser.parse_args(arguments))
    given["letter_ids"] = tuple(given.pop("letter_ids", ()))
    if given["command"] == "run" and given["limit"] and not given["is_dry"]:
        parser.error("argument --limit: is for --dry-run only; a run moves all rows")
    return Options(**given)


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
    shared.add_argument("--json", dest="is_json", action="store_true", help="write the result as one JSON document")
    shared.add_argument("-q", "--quiet", dest="is_quiet", action="store_true", help="show no progress")
    file = _Parser(add_help=False)
    file.add_argument("file", type=Path, metavar="FILE", help="the pipeline document (YAML)")
    run = commands.add_parser("run", parents=[file, shared], help="move the data of a pipeline")
    dry = "show the first rows of each stream, and write nothing"
    run.add_argument("--dry-run", dest="is_dry", action="store_true", help=dry)
    run.add_argument("--limit", type=_count, default=0, metavar="N", help="with --dry-run: so many rows (10)")
    commands.add_parser("check", parents=[file, shared], help="verify a pipeline without moving a row")
    commands.add_parser("discover", parents=[file, shared], help="list what a pipeline's source offers")
    schema = "print the JSON Schema of pipeline documents, for editors"
    commands.add_parser("schema", parents=[shared], help=schema)
    demo = commands.add_parser("demo", parents=[shared], help="move a real data set through a private Postgres")
    keep = "leave the private Postgres running and show its DSN"
    demo.add_argument("--keep", dest="is_kept", action="store_true", help=keep)
    _add_state_commands(commands, shared)
    _add_cdc(commands, [file, shared])
    return parser


def _add_state_commands(commands: argparse._SubParsersAction[_Parser], shared: _Parser) -> None:
    """Add the commands that read and change the state of pipelines."""
    place = _Parser(add_help=False)
    where = place.add_mutually_exclusive_group()
    where.add_argument("--state", metavar="WHERE", help="the state's file or postgresql:// URI, if not the user's own")
    where.add_argument("--file", type=Path, metavar="FILE", help="take the state that this pipeline document names")
    parents = [place, shared]
    runs = commands.add_parser("runs", parents=parents, help="list the latest runs")
    runs.add_argument("--pipeline", metavar="NAME", help="only those of this pipeline")
    _add_limit(runs, 20)

    dlq = commands.add_parser("dlq", help="list, show, delete and replay rows that were rejected")
    actions = dlq.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", parents=parents, help="list the rows that wait, oldest first")
    _add_selection(listed)
    listed.add_argument("--all", dest="includes_replayed", action="store_true", help="also those that were replayed")
    _add_limit(listed, 100)
    shown = actions.add_parser("show", parents=parents, help="show one row and why it was rejected")
    shown.add_argument("letter_ids", nargs=1, type=_letter_id, metavar="ID")
    deleted = actions.add_parser("delete", parents=parents, help="delete rows for good, by id or by pipeline")
    deleted.add_argument("letter_ids", nargs="*", type=_letter_id, metavar="ID")
    _add_selection(deleted)
    _add_replay(actions, shared)

    state = commands.add_parser("state", help="list, show and reset what connectors keep between runs")
    actions = state.add_subparsers(dest="action", metavar="ACTION", required=True)
    listed = actions.add_parser("list", parents=parents, help="list the names of what is kept")
    listed.add_argument("--pipeline", metavar="NAME", help="only those of this pipeline")
    shown = actions.add_parser("show", parents=parents, help="show what is kept for a pipeline")
    shown.add_argument("pipeline", metavar="PIPELINE")
    reset = actions.add_parser("reset", parents=parents, help="forget what is kept for a pipeline")
    reset.add_argument("pipeline", metavar="PIPELINE")
    reset.add_argument("--stream", metavar="NAME", help="only what is kept for this stream")


def _add_cdc(commands: argparse._SubParsersAction[_Parser], parents: Sequence[_Parser]) -> None:
    cdc = commands.add_parser("cdc", help="show and drop what a source keeps for a pipeline of changes")
    actions = cdc.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("status", parents=parents, help="show the slot and publication, and how far behind they are")
    dropped = actions.add_parser("drop", parents=parents, help="drop those that were made for the pipeline")
    dropped.add_argument(
        "--yes", dest="is_sure", action="store_true", help="do it; else only tell what would be dropped"
    )


def _add_replay(actions: argparse._SubParsersAction[_Parser], shared: _Parser) -> None:
    replayed = actions.add_parser("replay", parents=[shared], help="load rows into the destination after all")
    replayed.add_argument("file", type=Path, metavar="FILE", help="the pipeline document whose rows they are (YAML)")
    replayed.add_argument("letter_ids", nargs="*", type=_letter_id, metavar="ID", help="only these; else all that wait")
    replayed.add_argument("--stream", metavar="NAME", help="only rows of this stream")
    replayed.add_argument("--run", dest="run_id", metavar="ID", help="only rows of this run")
    dry = "tell which rows can be replayed, and write nothing"
    replayed.add_argument("--dry-run", dest="is_dry", action="store_true", help=dry)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pipeline", metavar="NAME", help="only rows of this pipeline")
    parser.add_argument("--stream", metavar="NAME", help="only rows of this stream")
    parser.add_argument("--run", dest="run_id", metavar="ID", help="only rows of this run")


def _add_limit(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument("--limit", type=_count, default=default, metavar="N", help=f"at most so many ({default})")


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


def _letter_id(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number < 2**63:
        raise argparse.ArgumentTypeError(f"{text!r} is not the id of a row")
    return number
