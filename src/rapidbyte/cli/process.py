"""One command, from its arguments to its exit code."""

from __future__ import annotations

import importlib
import os
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType

from rapidbyte.cli.arguments import COMMAND_NAMES, Options, parse
from rapidbyte.cli.exit_codes import ExitCode, exit_code_of
from rapidbyte.cli.failure import failure_document, failure_text
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.errors import CancelledRunError, MissingPackageError, RapidbyteError

COMMANDS: Mapping[str, str] = {name: f"rapidbyte.cli.commands.{name}" for name in COMMAND_NAMES}

# Commands whose packages are an extra of the wheel.
_EXTRAS: Mapping[str, str] = {"demo": "demo"}

_STOPPED: Mapping[str, str] = {"run": "Stopped. Streams that had not ended are unchanged in the destination."}


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Raises SystemExit for help and wrong usage."""
    options = parse(arguments)
    output = Output.of_process(is_json=options.is_json, is_quiet=options.is_quiet)
    with Signals() as signals:
        try:
            return _execute(options, output, signals)
        except BrokenPipeError:
            return ExitCode.BROKEN_PIPE


def _execute(options: Options, output: Output, signals: Signals) -> int:
    try:
        code: int = _load(options.command).execute(options, output, signals)
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return _stopped(options, output, signals)
    except RapidbyteError as error:
        if isinstance(error, CancelledRunError) and signals.received is not None:
            return _stopped(options, output, signals)
        return _failed(error, output)
    except Exception as error:
        return _unexpected(error, output)
    return code


def _load(command: str) -> ModuleType:
    try:
        return importlib.import_module(COMMANDS[command])
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(command)
        if extra is None or error.name is None or error.name.startswith("rapidbyte"):
            raise
        raise MissingPackageError(
            f"`rapidbyte {command}` needs the package {error.name}, which is not installed. "
            f"Install all that it needs with: pip install 'rapidbyte[{extra}]'"
        ) from error


def _failed(error: RapidbyteError, output: Output) -> int:
    code = exit_code_of(error)
    _print_traceback_if_wanted()
    output.complain(failure_text(error))
    _write_failure(error, code, output)
    return code


def _stopped(options: Options, output: Output, signals: Signals) -> int:
    code = ExitCode.INTERRUPTED if signals.received is None else 128 + signals.received
    message = _STOPPED.get(options.command, "Stopped.")
    output.complain(message)
    _write_failure(CancelledRunError(message), code, output)
    return code


def _write_failure(error: RapidbyteError, code: int, output: Output) -> None:
    if output.is_json:
        output.document(failure_document(error, code))


def _unexpected(error: Exception, output: Output) -> int:
    _print_traceback_if_wanted()
    output.complain(
        f"error: {type(error).__name__}: {error}\n"
        "hint: this is a bug of rapidbyte; please report it with the output of the same command under "
        "RAPIDBYTE_TRACEBACK=1."
    )
    return ExitCode.UNEXPECTED


def _print_traceback_if_wanted() -> None:
    if os.environ.get("RAPIDBYTE_TRACEBACK") == "1":
        traceback.print_exc()
