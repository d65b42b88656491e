"""What the process answers to its caller: stable numbers, documented in the README."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from rapidbyte.errors import Category, RapidbyteError


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    UNEXPECTED = 1  # a bug of rapidbyte's own
    USAGE = 2  # the command line, the pipeline document, a connector that is not there
    UNREACHABLE = 3  # a server that cannot be reached, or that does not let us in
    DATA = 4  # the data or the schema is not what the pipeline needs
    INTERNAL = 5  # the engine or a connector broke down
    INTERRUPTED = 130  # Ctrl-C
    BROKEN_PIPE = 141  # nobody reads what we write
    TERMINATED = 143  # SIGTERM


_BY_CATEGORY: Mapping[Category, ExitCode] = {
    Category.CONFIG: ExitCode.USAGE,
    Category.AUTH: ExitCode.UNREACHABLE,
    Category.PERMISSION: ExitCode.UNREACHABLE,
    Category.RATE_LIMIT: ExitCode.UNREACHABLE,
    Category.TRANSIENT_NETWORK: ExitCode.UNREACHABLE,
    Category.TRANSIENT_DB: ExitCode.UNREACHABLE,
    Category.DATA: ExitCode.DATA,
    Category.SCHEMA: ExitCode.DATA,
    Category.FRAME: ExitCode.INTERNAL,
    Category.INTERNAL: ExitCode.INTERNAL,
    Category.CANCELLED: ExitCode.INTERRUPTED,
}


def exit_code_of(error: RapidbyteError) -> ExitCode:
    """Return the exit code that stands for `error`."""
    return _BY_CATEGORY[error.category]
