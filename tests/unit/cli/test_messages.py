"""What a user reads, word for word: recorded in __snapshots__, so that a change of a message is seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from rapidbyte.cli.commands import check, discover, runs
from rapidbyte.cli.commands import run as run_command
from rapidbyte.cli.failure import failure_text
from rapidbyte.cli.process import run
from rapidbyte.errors import (
    AuthError,
    Category,
    ConnectorCrashError,
    DataError,
    ErrorInfo,
    NetworkError,
    PermissionDeniedError,
    RapidbyteError,
    SchemaError,
)
from rapidbyte.model import (
    Catalog,
    Check,
    CheckReport,
    CheckStatus,
    Column,
    ConnectorUsage,
    RunReport,
    RunStatus,
    StateSpec,
    Stream,
    StreamPreview,
    StreamReport,
)
from rapidbyte.state import RunRecord, open_state

TYPOS = """\
version: "1.0"
pipeline: nightly
source:
  use: postgres
  config: {host: db, password: "${PASSWORD}"}
  streems:
    - {name: users, sync_mode: full_refresh}
destination:
  use: postgres
  config: {host: db}
  write_mode: apend
resources:
  max_memory: 1 gigabyte
  parallelism: 0
"""
FUTURE = """\
version: "1.0"
pipeline: nightly
source:
  use: postgres
  config: {}
  streams:
    - {name: users, sync_mode: cdc}
destination:
  use: postgres
  config: {}
  write_mode: append
transforms:
  - {use: sql, config: {query: SELECT 1}}
"""
START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory and an environment that knows only it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PASSWORD", "hunter2")
    for name in ("SOURCE_HOST", "SOURCE_PASSWORD", "RAPIDBYTE_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return what a command says, with its exit code, and without the name of the test's directory."""
    try:
        code = run(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else -1
    captured = capsys.readouterr()
    text = f"{captured.out}--- standard error\n{captured.err}--- exit code {code}\n"
    return text.replace(str(Path.cwd()), "<here>")


@pytest.mark.parametrize(
    "document", [TYPOS, FUTURE, "version: ${SOURCE_HOST}\npassword: ${SOURCE_PASSWORD}\n", "a: 'b"]
)
def test_wrong_document(document: str, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion) -> None:
    Path("nightly.yaml").write_text(document)
    assert said(capsys, "run", "nightly.yaml") == snapshot


def test_wrong_document_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    Path("nightly.yaml").write_text(TYPOS.replace("apend", "append").replace("1 gigabyte", "1gb"))
    assert run(["check", "nightly.yaml", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["category"], error["code"], error["exit_code"]) == ("config", "invalid_document", 2)
    assert error["problems"] == [
        {"path": "source.streams", "line": 3, "message": "is required"},
        {"path": "source.streems", "line": 6, "message": "is not a known key; did you mean 'streams'?"},
        {"path": "resources.parallelism", "line": 14, "message": "must be at least 1"},
    ]


@pytest.mark.parametrize(
    "arguments", ["run absent.yaml", "check .", "rnu nightly.yaml", "nightly.yaml", "run", "runs --limit none", "runs"]
)
def test_wrong_or_empty_command(
    arguments: str, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    assert said(capsys, *arguments.split()) == snapshot


def test_damaged_state_file(capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion) -> None:
    Path("state.db").write_bytes(b"no database " * 100)
    assert said(capsys, "runs", "--state", "state.db") == snapshot


def test_help(capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    assert said(capsys, "--help") == snapshot


@pytest.mark.parametrize(
    "error",
    [
        AuthError('password authentication failed for user "ada"', ErrorInfo("28P01")),
        NetworkError("No connection to db:1: Connection refused.", ErrorInfo("connection_refused")),
        PermissionDeniedError("The connector may not reach db.", ErrorInfo("host_denied")),
        PermissionDeniedError("permission denied for table users", ErrorInfo("42501")),
        SchemaError("Table nope does not exist in the source; schema public has users.", ErrorInfo("table_not_found")),
        DataError('duplicate key value violates unique constraint "users_pkey"', ErrorInfo("23505")),
        ConnectorCrashError("The source postgres needs more memory than it may have.", ErrorInfo("memory_limit")),
        DataError("invalid byte sequence\nWhere: COPY users, line 3", ErrorInfo("22021")),
    ],
    ids=lambda error: error.code,
)
def test_failure_of_a_run(error: RapidbyteError, snapshot: SnapshotAssertion) -> None:
    assert failure_text(error) == snapshot


def test_report_of_a_run(snapshot: SnapshotAssertion) -> None:
    streams = (
        StreamReport("flights", 336_776, 336_776, 61_234_567, 21, 1.5, 1),
        StreamReport("a_rather_long_name", 1, 1, 10, 1, 0.0, 1),
    )
    used = (
        ConnectorUsage("source postgres", 2, 3_145_728, 12_345, 0.5),
        ConnectorUsage("destination postgres", 2, 4_194_304, 9_876, 1.25),
    )
    report = RunReport("5eed", "nightly", RunStatus.COMPLETED, 1.75, streams, used)
    assert run_command.report_text(report) == snapshot


def test_rows_of_a_dry_run(snapshot: SnapshotAssertion) -> None:
    columns = (Column("id", "integer", False), Column("note", "text", True))
    rows = (("1", None), ("2", "line\nand a rather long text that goes on and on"))
    assert run_command.preview_text(StreamPreview("users", columns, rows)) == snapshot(name="rows")
    assert run_command.preview_text(StreamPreview("empty", columns, ())) == snapshot(name="none")


def test_verdict_of_a_check(snapshot: SnapshotAssertion) -> None:
    fine = Check("source", "connection", CheckStatus.OK, "source postgres is connected")
    bad = Check("destination", "schema", CheckStatus.FAIL, "Schema shop cannot be used.")
    assert check.report_text(CheckReport((fine,))) == snapshot(name="ready")
    assert check.report_text(CheckReport((fine, bad))) == snapshot(name="not ready")


def test_streams_of_a_source(snapshot: SnapshotAssertion) -> None:
    columns = (Column("id", "bigint", False), Column("note", "character varying(255)", True))
    catalog = Catalog(
        (Stream("public.users", columns, ("id",), 12_000, 8192), Stream("public.empty", (), (), None, None))
    )
    assert [discover.stream_text(stream) for stream in catalog.streams] == snapshot


def test_history_of_runs(snapshot: SnapshotAssertion) -> None:
    history = (
        RunRecord("1", "nightly", RunStatus.RUNNING, START),
        RunRecord("2", "nightly", RunStatus.COMPLETED, START, START + timedelta(seconds=90), 12_345, 12_345, 10),
        RunRecord(
            "3",
            "hourly",
            RunStatus.FAILED,
            START,
            START + timedelta(milliseconds=250),
            error_category=Category.SCHEMA,
            error_code="42P01",
            error_message="No such table.\nHint: look.",
        ),
        RunRecord("4", "nightly", RunStatus.INTERRUPTED, START),
    )
    assert runs.runs_text(history) == snapshot


def test_runs_of_a_pipeline_are_listed_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    with open_state(StateSpec()) as state:
        store = state.runs
        store.start("1", "nightly", START)
        store.fail("1", RunStatus.FAILED, AuthError("No.", ErrorInfo("28P01")), START)
        store.start("2", "hourly", START)
    assert run(["runs", "--json", "--pipeline", "nightly"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out) == {
        "runs": [
            {
                "run_id": "1",
                "pipeline": "nightly",
                "status": "failed",
                "started_at": "2026-11-24T03:00:00+00:00",
                "finished_at": "2026-11-24T03:00:00+00:00",
                "rows_read": None,
                "rows_written": None,
                "rows_rejected": None,
                "rows_filtered": None,
                "bytes_read": None,
                "error": {"category": "auth", "code": "28P01", "message": "No."},
            }
        ]
    }


def test_bug_is_one_message_without_a_traceback(
    capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(runs, "execute", break_down)
    assert said(capsys, "runs") == snapshot
    monkeypatch.setenv("RAPIDBYTE_TRACEBACK", "1")
    assert "Traceback (most recent call last)" in said(capsys, "runs")


def test_interrupted_command_ends_with_its_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "execute", interrupt)
    assert said(capsys, "runs") == "--- standard error\nStopped.\n--- exit code 130\n"
    assert run(["runs", "--json"]) == 130
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "cancelled"
