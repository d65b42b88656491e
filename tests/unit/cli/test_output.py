"""What goes where: results to standard output, everything else to standard error, nothing that drives a terminal."""

from __future__ import annotations

import errno
import io
import json
import os

import pytest

from rapidbyte.cli.figures import aligned, megabytes, rate
from rapidbyte.cli.output import Output, printable
from rapidbyte.errors import ConfigError


class _Failing(io.StringIO):
    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def write(self, _: str, /) -> int:
        raise OSError(self._number, os.strerror(self._number))


def output(*, is_json: bool = False, is_quiet: bool = False) -> tuple[Output, io.StringIO, io.StringIO]:
    stdout, stderr = io.StringIO(), io.StringIO()
    return Output(stdout, stderr, is_json=is_json, is_quiet=is_quiet), stdout, stderr


def test_result_and_talk_go_different_ways() -> None:
    out, stdout, stderr = output()
    out.result("moved")
    out.say("moving")
    out.complain("error: no")
    assert (stdout.getvalue(), stderr.getvalue()) == ("moved\n", "moving\nerror: no\n")


def test_quiet_drops_talk_but_not_errors() -> None:
    out, stdout, stderr = output(is_quiet=True)
    out.say("moving")
    out.complain("error: no")
    out.result("moved")
    assert (stdout.getvalue(), stderr.getvalue()) == ("moved\n", "error: no\n")


def test_document_is_one_line_of_json() -> None:
    out, stdout, _ = output(is_json=True)
    out.document({"name": "größe\n", "rows": 3})
    assert stdout.getvalue().count("\n") == 1
    assert json.loads(stdout.getvalue()) == {"name": "größe\n", "rows": 3}


def test_text_of_a_server_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b[31mred\x07\r\x9b2J\tb\nc\x7f") == "a\\x1b[31mred\\x07\\x0d\\x9b2J\tb\nc\\x7f"


def test_progress_that_nobody_reads_does_not_end_the_command() -> None:
    out = Output(io.StringIO(), _Failing(errno.EPIPE), is_json=False, is_quiet=False)
    out.say("moving")


def test_result_that_nobody_reads_does() -> None:
    out = Output(_Failing(errno.EPIPE), io.StringIO(), is_json=False, is_quiet=False)
    with pytest.raises(BrokenPipeError):
        out.result("moved")


def test_result_that_cannot_be_written_is_an_error_and_not_lost_in_silence() -> None:
    out = Output(_Failing(errno.ENOSPC), io.StringIO(), is_json=False, is_quiet=False)
    with pytest.raises(ConfigError, match="cannot be written to standard output: No space left on device"):
        out.result("moved")


@pytest.mark.parametrize(("term", "is_terminal"), [("xterm", True), ("dumb", False), (None, False)])
def test_terminal_is_one_that_can_redraw(monkeypatch: pytest.MonkeyPatch, term: str | None, is_terminal: bool) -> None:
    out, _, stderr = output()
    monkeypatch.setattr(stderr, "isatty", lambda: True)
    if term is None:
        monkeypatch.delenv("TERM", raising=False)
    else:
        monkeypatch.setenv("TERM", term)
    assert out.is_terminal is is_terminal


def test_table_is_aligned_without_trailing_spaces() -> None:
    assert aligned(("name", "rows", "note"), [("users", "3", ""), ("x", "12,000", "ok")], right=("rows",)) == (
        "name     rows  note\nusers       3\nx      12,000  ok"
    )


def test_figures() -> None:
    assert (megabytes(1_234_567_890), rate(1000, 0.5), rate(1000, 0.0)) == ("1,234.6", "2,000", "-")
