"""`rapidbyte dlq` and `rapidbyte state`: what they print, what they change, and what they refuse."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rapidbyte.cli.process import run
from rapidbyte.errors import Category
from rapidbyte.model import StateSpec
from rapidbyte.state import DeadLetter, RejectedAt, StateKey, StateScope, Uncommitted, open_state

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
LETTER = DeadLetter(
    pipeline="nightly",
    stream="users",
    run_id="5eed",
    rejected_at=RejectedAt.DESTINATION,
    category=Category.DATA,
    code="23502",
    reasons=('null value in column "name" of relation "users" violates a not-null constraint\nLine 2', "and more"),
    row={"id": 7, "name": None, "city": "東京"},
    raw="7\t\\N",
    unreadable=("city",),
)
PIPELINE = """\
version: "1.0"
pipeline: nightly
source: {use: postgres, config: {}, streams: [{name: users, sync_mode: full_refresh}]}
destination: {use: postgres, config: {}, write_mode: append}
state: {connection: own.db}
"""


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory that the user's own state is in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


@pytest.fixture
def filled() -> None:
    """Two letters, the second of which was replayed, and three values of connectors."""
    with open_state(StateSpec()) as state:
        state.dead_letters.put(
            [LETTER, replace(LETTER, stream="orders", raw=None, unreadable=(), uncommitted=Uncommitted(0))], NOW
        )
        state.replays.claim([2], "a replay")
        state.replays.settle("nightly", "orders", "a replay", NOW)
        state.connectors.put(StateKey("nightly", StateScope.STREAM, "users", "lsn"), b"0/16B3748", NOW)
        state.connectors.put(StateKey("nightly", StateScope.PIPELINE, "", "salt"), b"\xff\0", NOW)
        state.connectors.put(StateKey("hourly", StateScope.CONNECTOR, "source postgres", "slot"), b"rb_hourly", NOW)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = run(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    code, out, err = said(capsys, *arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.usefixtures("filled")
def test_rejected_rows_are_listed_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    waiting = (
        "id  rejected (UTC)       pipeline  stream  at           code   reason\n"
        " 1  2026-11-24 03:00:00  nightly   users   destination  23502  "
        'null value in column "name" of relation "users" violates a …\n'
    )
    assert said(capsys, "dlq", "list") == (0, waiting, "")
    assert [row["id"] for row in document(capsys, "dlq", "list", "--all")["rows"]] == [1, 2]
    assert document(capsys, "dlq", "list", "--stream", "orders") == {"total": 0, "rows": []}
    some = (0, waiting, "1 of 2 rows are shown; --limit shows more.\n")
    assert said(capsys, "dlq", "list", "--all", "--limit", "1") == some


@pytest.mark.usefixtures("filled")
def test_rejected_row_is_shown_with_every_reason_and_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "dlq", "show", "1") == (
        0,
        "row 1 of users, pipeline nightly, waits\n"
        "rejected by the destination on 2026-11-24 03:00:00 UTC in run 5eed: data, 23502\n"
        '  null value in column "name" of relation "users" violates a not-null constraint\n'
        "Line 2\n"
        "  and more\n"
        "not here as it was: city\n"
        '{\n  "id": 7,\n  "name": null,\n  "city": "東京"\n}\n'
        "as the source printed it: 7\t\\N\n",
        "",
    )
    replayed = said(capsys, "dlq", "show", "2")[1].splitlines()
    assert replayed[0] == "row 2 of orders, pipeline nightly, replayed 2026-11-24 03:00:00 UTC"
    assert "its run has not come to the commit that leaves it out; the next run reads the row again" in replayed


@pytest.mark.usefixtures("filled")
def test_rejected_row_is_a_document_for_a_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert document(capsys, "dlq", "show", "1") == {
        "id": 1,
        "pipeline": "nightly",
        "stream": "users",
        "run_id": "5eed",
        "rejected_at": "destination",
        "category": "data",
        "code": "23502",
        "reasons": list(LETTER.reasons),
        "row": {"id": 7, "name": None, "city": "東京"},
        "raw": "7\t\\N",
        "unreadable": ["city"],
        "is_committed": True,
        "recorded_at": "2026-11-24T03:00:00+00:00",
        "replayed_at": None,
    }


@pytest.mark.usefixtures("filled")
def test_rejected_rows_are_deleted_by_id_or_by_selection(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "dlq", "delete", "1", "99") == (0, "Deleted: 1 row.\n", "")
    assert document(capsys, "dlq", "delete", "--pipeline", "nightly", "--run", "5eed") == {"deleted": 1}
    assert said(capsys, "dlq", "list", "--all")[2].startswith("No rejected rows are kept in ")


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("arguments", [[], ["1", "--pipeline", "nightly"]])
def test_deletion_needs_ids_or_a_selection_and_not_both(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, "dlq", "delete", *arguments) == (
        2,
        "",
        "error: Say which rows to delete: either their ids, or --pipeline, --stream and --run.\n",
    )
    assert document(capsys, "dlq", "list", "--all")["total"] == 2


def test_replay_that_is_dry_tells_what_is_kept_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.yaml").write_text(PIPELINE)
    assert said(capsys, "dlq", "replay", "p.yaml", "--dry-run") == (
        0,
        "No rejected rows of pipeline nightly wait.\n",
        "",
    )
    with open_state(StateSpec(connection="own.db")) as state:
        state.dead_letters.put([LETTER, replace(LETTER, row={"id": "7"}, unreadable=())], NOW)
    expected = (
        "stream  to replay  kept\n"
        "users           1     1\n"
        "id  stream  why it is kept\n"
        " 1  users   the letter does not hold city as it was; mend the row at the source, and delete the letter\n"
        "nightly: 1 row to replay, 1 kept. Nothing was written, and the destination was not asked.\n"
    )
    assert said(capsys, "dlq", "replay", "p.yaml", "--dry-run") == (4, expected, "")


def test_row_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = said(capsys, "dlq", "show", "7")
    assert (code, err) == (
        2,
        f"error: There is no rejected row 7 in {tmp_path / 'rapidbyte' / 'state.db'}. "
        "`rapidbyte dlq list` lists those there are.\n",
    )


@pytest.mark.parametrize(
    "arguments", ["dlq list", "dlq delete --pipeline p", "state list", "state show p", "state reset p", "runs"]
)
def test_looking_makes_no_file(arguments: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert said(capsys, *arguments.split())[0] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("filled")
def test_what_connectors_keep_is_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "state", "list")[1] == (
        "pipeline  scope      of               name  bytes  written (UTC)\n"
        "hourly    connector  source postgres  slot      9  2026-11-24 03:00:00\n"
        "nightly   pipeline   -                salt      2  2026-11-24 03:00:00\n"
        "nightly   stream     users            lsn       9  2026-11-24 03:00:00\n"
    )
    assert said(capsys, "state", "show", "nightly")[1] == "pipeline, salt: base64 /wA=\nstream users, lsn: 0/16B3748\n"
    assert document(capsys, "state", "show", "nightly")["values"] == [
        {
            "pipeline": "nightly",
            "scope": "pipeline",
            "owner": "",
            "name": "salt",
            "updated_at": "2026-11-24T03:00:00+00:00",
            "base64": "/wA=",
        },
        {
            "pipeline": "nightly",
            "scope": "stream",
            "owner": "users",
            "name": "lsn",
            "updated_at": "2026-11-24T03:00:00+00:00",
            "value": "0/16B3748",
        },
    ]


@pytest.mark.usefixtures("filled")
def test_what_connectors_keep_is_reset_by_stream_and_by_pipeline(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "state", "reset", "nightly", "--stream", "users")[1] == "Forgotten: 1 value.\n"
    assert document(capsys, "state", "reset", "nightly") == {"forgotten": 1}
    assert [value["pipeline"] for value in document(capsys, "state", "list")["values"]] == ["hourly"]


def test_state_of_a_document_is_the_one_it_names(capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.yaml").write_text(PIPELINE)
    with open_state(StateSpec(connection="own.db")) as state:
        state.runs.start("5eed", "nightly", NOW)
    assert [run["run_id"] for run in document(capsys, "runs", "--file", "p.yaml")["runs"]] == ["5eed"]
    assert [run["run_id"] for run in document(capsys, "runs", "--state", "own.db")["runs"]] == ["5eed"]
    assert document(capsys, "runs") == {"runs": []}
