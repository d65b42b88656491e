"""Progress of a run: the board, the lines for logs, and the table on a terminal."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from rapidbyte import (
    ConnectorCompiling,
    LogLine,
    RunStarted,
    StreamFinished,
    StreamProgress,
    StreamReport,
    StreamStarted,
)
from rapidbyte.cli.displays import progress_for
from rapidbyte.cli.live import LiveProgress
from rapidbyte.cli.output import Output
from rapidbyte.cli.plain import PlainProgress
from rapidbyte.cli.progress import Board, StreamState
from rapidbyte.wasm import Level

USERS = StreamReport("users", 12_000, 12_000, 3_000_000, 2, 2.0, 1)


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


def clock_at(*times_s: float) -> Iterator[float]:
    yield from times_s


def plain(*times_s: float, is_quiet: bool = False) -> tuple[PlainProgress, io.StringIO]:
    stderr = io.StringIO()
    clock = clock_at(*times_s)
    output = Output(io.StringIO(), stderr, is_json=False, is_quiet=is_quiet)
    return PlainProgress(output, lambda: next(clock)), stderr


def test_board_follows_each_stream_to_its_end() -> None:
    board = Board()
    board.apply(RunStarted("1", "p", ("users", "orders")), 0.0)
    board.apply(StreamStarted("users", 12_500), 1.0)
    board.apply(StreamStarted("orders", None), 1.5)
    board.apply(StreamProgress("users", 5000, 0, 1_000_000), 2.0)
    assert board.streams() == (StreamState("users", 1.0, 12_500, 5000, 1_000_000), StreamState("orders", 1.5))
    assert [stream.duration_s(4.0) for stream in board.streams()] == [3.0, 2.5]
    board.apply(StreamFinished(USERS), 3.0)
    users = board.streams()[0]
    assert users == StreamState("users", 1.0, 12_500, 12_000, 3_000_000, ended_s=3.0)
    assert users.duration_s(99.0) == 2.0


def test_lines_come_every_five_seconds_for_moving_streams_and_at_each_end() -> None:
    progress, stderr = plain(0.0, 1.0, 2.0, 3.0, 6.0, 10.0, 11.0)
    progress.on_event(StreamStarted("users", None))
    progress.on_event(StreamProgress("users", 1000, 0, 250_000))
    assert stderr.getvalue() == ""
    progress.on_event(StreamFinished(USERS))
    progress.on_event(StreamStarted("orders", None))
    progress.on_event(StreamProgress("orders", 8000, 0, 1_500_000))
    progress.on_event(StreamProgress("orders", 9000, 0, 1_700_000))
    assert stderr.getvalue().splitlines() == [
        "users: 12,000 rows, 3.0 MB, 6,000 rows/s, done",
        "orders: 0 rows, 0.0 MB, - rows/s",
        "orders: 9,000 rows, 1.7 MB, 1,800 rows/s",
    ]


def test_what_is_behind_is_told_where_the_source_tells_it() -> None:
    progress, stderr = plain(0.0, 0.0, 10.0)
    progress.on_event(StreamStarted("users", None))
    progress.on_event(StreamProgress("users", 1000, 0, 250_000, 12_345))
    assert stderr.getvalue() == "users: 1,000 rows, 0.2 MB, 100 rows/s, 12,345 bytes behind\n"


def test_what_connectors_say_is_shown_but_for_their_debugging() -> None:
    progress, stderr = plain(0.0, 0.0, 0.0)
    progress.on_event(LogLine("source postgres", Level.WARN, "a slow\x1b[31m server"))
    progress.on_event(LogLine("source postgres", Level.DEBUG, "connected"))
    assert stderr.getvalue() == "source postgres: warn: a slow\\x1b[31m server\n"


def test_quiet_progress_says_nothing() -> None:
    progress, stderr = plain(0.0, 1.0, 2.0, is_quiet=True)
    progress.say("Starting ...")
    progress.on_event(StreamStarted("users", None))
    progress.on_event(StreamFinished(USERS))
    assert stderr.getvalue() == ""


def test_table_on_a_terminal_shows_the_streams_and_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    with LiveProgress(terminal) as progress:
        progress.say("Running the pipeline ...")
        progress.on_event(StreamStarted("us\x1bers", 12_500))
        progress.on_event(StreamProgress("us\x1bers", 5000, 0, 1_000_000))
    shown = terminal.getvalue()
    assert "bytes behind" not in shown
    assert "us\\x1bers  5,000 of about 12,500  1.0" in shown
    assert "Running the pipeline ...\n" in shown
    assert "us\x1bers" not in shown
    assert shown.endswith("\x1b[1A\x1b[2K")  # up a line, and clear it


@pytest.mark.parametrize(
    ("stderr", "is_quiet", "kind"),
    [
        (Terminal(), False, LiveProgress),
        (Terminal(), True, PlainProgress),
        (io.StringIO(), False, PlainProgress),
    ],
)
def test_progress_fits_its_place(
    monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO, is_quiet: bool, kind: type
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with progress_for(Output(io.StringIO(), stderr, is_json=False, is_quiet=is_quiet)) as progress:
        assert type(progress) is kind


def test_compilation_is_told_before_anything_moves() -> None:
    progress, stderr = plain(0.0, 1.0)
    progress.on_event(ConnectorCompiling("source postgres"))
    assert stderr.getvalue() == "Compiling the source postgres for this machine, once ...\n"


def test_table_has_a_column_for_what_is_behind_where_the_source_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    with LiveProgress(terminal) as progress:
        progress.on_event(StreamStarted("users", None))
        progress.on_event(StreamProgress("users", 5000, 0, 1_000_000, 12_345))
    assert "bytes behind" in terminal.getvalue()
    assert "12,345" in terminal.getvalue()
