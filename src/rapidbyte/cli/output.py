"""Where a command writes: its result to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from rapidbyte.errors import ConfigError, ErrorInfo

_UNPRINTABLE = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


class Output:
    """The streams of a process. With `is_json`, its only result is one JSON document; `is_quiet` drops `say`."""

    def __init__(self, stdout: IO[str], stderr: IO[str], *, is_json: bool, is_quiet: bool) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.is_json = is_json
        self.is_quiet = is_quiet

    @classmethod
    def of_process(cls, *, is_json: bool, is_quiet: bool) -> Output:
        """Take the streams of this process; characters that they cannot show are escaped, closed ones swallow all."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                with suppress(AttributeError, ValueError):  # replaced by something else, as tests do
                    stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIOWrapper's
        return cls(_or_nothing(sys.stdout), _or_nothing(sys.stderr), is_json=is_json, is_quiet=is_quiet)

    @property
    def is_terminal(self) -> bool:
        """Whether a person watches standard error on a terminal that can redraw lines."""
        return self.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def result(self, text: str) -> None:
        """Write lines of the command's result. Raises BrokenPipeError when nobody reads it, else ConfigError."""
        self._write(printable(text))

    def document(self, document: Mapping[str, object]) -> None:
        """Write the command's result for machines. Raises what `result` does."""
        self._write(json.dumps(document, ensure_ascii=False))

    def say(self, text: str) -> None:
        """Tell a person what happens. Once nobody listens any more, this does nothing."""
        if not self.is_quiet:
            self.complain(text)

    def complain(self, text: str) -> None:
        """Tell what went wrong, also when quiet."""
        with suppress(OSError):
            print(printable(text), file=self.stderr, flush=True)

    def _write(self, text: str) -> None:
        try:
            print(text, file=self.stdout, flush=True)
        except OSError as error:
            self._abandon_stdout()
            if isinstance(error, BrokenPipeError):
                raise
            message = f"The result cannot be written to standard output: {error.strerror}."
            raise ConfigError(message, ErrorInfo("output_unwritable")) from error

    def _abandon_stdout(self) -> None:
        """Let what is still in the buffer, and what comes, go nowhere: the interpreter flushes again at its end."""
        with suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())


def printable(text: str) -> str:
    """Return `text` without characters that would control a terminal: it may come from a server."""
    return text.translate(_UNPRINTABLE)


def _or_nothing(stream: IO[str] | None) -> IO[str]:
    return open(os.devnull, "w") if stream is None else stream
