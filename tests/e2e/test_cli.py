"""The command line on real servers: what it prints for people and machines, and how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest

from harness.cli import Cli, Ended, finish
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.waiting import wait_until

_FULL_REFRESH = "fixtures/pipelines/full_refresh.yaml"
_ONE_TABLE = "fixtures/pipelines/one_table.yaml"


@pytest.fixture(autouse=True)
def tables(seeded: Seed) -> None:
    """Seed what most commands here read."""
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")


def _schema_exists(session: psycopg.Connection, schema: str) -> bool:
    found = session.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    return found is not None


def test_run_moves_the_tables_and_prints_what_it_did(
    cli: Cli, session: psycopg.Connection, schemas: SchemaPair
) -> None:
    ended = cli.run("run", _FULL_REFRESH)
    assert ended.code == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["stream", "rows"], ["users", "3"], ["orders", "3"]]
    assert lines[4].split()[:2] == ["connector", "instances"]
    assert [line.split()[:3] for line in lines[5:7]] == [["source", "postgres", "2"], ["destination", "postgres", "2"]]
    (last,) = lines[8:]
    assert re.fullmatch(r"full_refresh: 6 rows, 0\.0 MB in \d+\.\d\d s \(completed, run [0-9a-f]{32}\)", last)
    for table in ("users", "orders"):
        assert_same_table(session, TableName(schemas.source, table), TableName(schemas.destination, table))


def test_run_prints_one_document_for_machines(cli: Cli) -> None:
    ended = cli.run("run", _FULL_REFRESH, "--json")
    assert ended.code == 0, ended.stderr
    document = json.loads(ended.stdout)
    assert (document["status"], document["rows_read"], document["rows_written"]) == ("completed", 6, 6)
    assert [(stream["name"], stream["rows_written"]) for stream in document["streams"]] == [("users", 3), ("orders", 3)]


def test_runs_lists_the_completed_and_the_failed(cli: Cli) -> None:
    cli.run("run", _FULL_REFRESH)
    cli.run("run", _ONE_TABLE, STREAM="no_such_table")
    ended = cli.run("runs", "--json")
    runs = json.loads(ended.stdout)["runs"]
    assert [(run["pipeline"], run["status"], run["rows_written"]) for run in runs] == [
        ("one_table", "failed", None),
        ("full_refresh", "completed", 6),
    ]
    assert (runs[0]["error"]["category"], runs[0]["error"]["code"]) == ("schema", "table_not_found")


def test_check_finds_a_good_pipeline_ready_and_writes_nothing(
    cli: Cli, session: psycopg.Connection, schemas: SchemaPair
) -> None:
    ended = cli.run("check", _FULL_REFRESH)
    assert (ended.code, ended.stdout.splitlines()[-1]) == (0, "The pipeline is ready to run.")
    assert not _schema_exists(session, schemas.destination)


def test_discover_lists_columns_types_and_keys(cli: Cli, schemas: SchemaPair) -> None:
    ended = cli.run("discover", _FULL_REFRESH, "--json")
    streams = {stream["name"]: stream for stream in json.loads(ended.stdout)["streams"]}
    assert set(streams) == {f"{schemas.source}.users", f"{schemas.source}.orders"}
    users = streams[f"{schemas.source}.users"]
    assert users["primary_key"] == ["id"]
    assert users["columns"] == [
        {"name": "id", "type": "integer", "nullable": False},
        {"name": "name", "type": "text", "nullable": False},
        {"name": "email", "type": "text", "nullable": True},
        {"name": "created_at", "type": "timestamp with time zone", "nullable": True},
    ]


def _assert_short_and_clear(ended: Ended, code: int, *patterns: str) -> None:
    assert ended.code == code, ended.stderr
    assert ended.stdout == ""
    assert "Traceback" not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 6
    for pattern in patterns:
        assert re.search(pattern, ended.stderr), ended.stderr


@pytest.mark.parametrize(
    ("pipeline", "more", "code", "patterns"),
    [
        (_FULL_REFRESH, {"PGPASSWORD": "gEheim-7"}, 3, ("password authentication failed", "hint: .*`password`")),
        (_FULL_REFRESH, {"PGDATABASE": "no_such_database"}, 2, ("no_such_database",)),
        (_ONE_TABLE, {"STREAM": "no_such_table"}, 4, ("no_such_table", "orders, users", "hint: .*discover")),
        (_ONE_TABLE, {}, 2, ("STREAM",)),
        (
            "fixtures/pipelines/typo.yaml",
            {},
            2,
            (
                "3 problems",
                r"typo\.yaml:3: source\.streams: is required",
                r"typo\.yaml:12: source\.streems: .*'streams'",
                r"typo\.yaml:17: destination\.write_mode: .*'append'",
            ),
        ),
        ("fixtures/pipelines/unknown_connector.yaml", {}, 2, ("'oracle'", "Known are: postgres")),
        ("no_such_file.yaml", {}, 2, (r"no_such_file\.yaml",)),
    ],
)
def test_bad_input_ends_with_its_remedy_and_changes_nothing(
    cli: Cli,
    session: psycopg.Connection,
    schemas: SchemaPair,
    role: Role,
    pipeline: str,
    more: Mapping[str, str],
    code: int,
    patterns: tuple[str, ...],
) -> None:
    ended = cli.run("run", pipeline, **{**role.variables, **more})
    _assert_short_and_clear(ended, code, *patterns)
    assert "gEheim-7" not in ended.stderr
    assert not _schema_exists(session, schemas.destination)
    wait_until(lambda: role.running() == [], "the sessions of the ended process to go")


def test_refused_port_ends_with_its_remedy(cli: Cli) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = unused.getsockname()[1]
        ended = cli.run("run", _FULL_REFRESH, PGPORT=str(port))
    _assert_short_and_clear(ended, 3, f"127.0.0.1:{port}", "hint: .*`port`")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_run_ends_soon_leaves_no_session_and_no_rows(
    cli: Cli,
    session: psycopg.Connection,
    schemas: SchemaPair,
    seeded: Seed,
    role: Role,
    number: signal.Signals,
    code: int,
) -> None:
    seeded("fixtures/sql/slow.sql")
    with cli.start("run", _ONE_TABLE, STREAM="slow", **role.variables) as process:
        wait_until(lambda: any("COPY" in query for query in role.running()), "the source to be read")
        process.send_signal(number)
        ended = finish(process)
    _assert_short_and_clear(ended, code, "Stopped.")
    # The server needs a moment to notice a session that was cut, but the query that it ran must not go on.
    wait_until(lambda: role.running() == [], "the sessions of the interrupted process to go")
    assert not _schema_exists(session, schemas.destination)
    (run,) = json.loads(cli.run("runs", "--json").stdout)["runs"]
    assert (run["status"], run["rows_written"]) == ("cancelled", None)


def test_killed_run_leaves_the_destination_unchanged_and_the_next_one_works(
    cli: Cli, session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, role: Role
) -> None:
    seeded("fixtures/sql/slow.sql")
    with cli.start("run", _ONE_TABLE, STREAM="slow", **role.variables) as process:
        wait_until(lambda: any("COPY" in query for query in role.running()), "the source to be read")
        process.kill()
        assert finish(process).code == -signal.SIGKILL
    assert not _schema_exists(session, schemas.destination)
    assert cli.run("run", _ONE_TABLE, STREAM="users", **role.variables).code == 0
    runs = json.loads(cli.run("runs", "--json").stdout)["runs"]
    assert [run["status"] for run in runs] == ["completed", "interrupted"]
    assert_same_table(session, TableName(schemas.source, "users"), TableName(schemas.destination, "users"))


def test_state_is_kept_where_the_environment_says(cli: Cli, tmp_path: Path) -> None:
    state = tmp_path / "elsewhere"
    assert cli.run("run", _FULL_REFRESH, XDG_STATE_HOME=str(state)).code == 0
    assert (state / "rapidbyte" / "state.db").is_file()
