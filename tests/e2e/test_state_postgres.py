"""The state in Postgres: all that every backend must do, and how a server that cannot keep it is told."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from harness.cli import Cli
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.state_contract import StateContract
from harness.state_contract.samples import LETTER
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import Category, StateDeniedError, StateError, StateUnreachableError
from rapidbyte.model import RunReport, RunStatus, StateBackend, StateSpec
from rapidbyte.state import open_state
from rapidbyte.state.postgres_migrations import VERSION

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"


def spec_of(address: ServerAddress) -> StateSpec:
    return StateSpec(StateBackend.POSTGRES, address.dsn())


@pytest.fixture
def spec(database: ServerAddress) -> StateSpec:
    return spec_of(database)


@pytest.fixture
def inside(database: ServerAddress) -> Iterator[psycopg.Connection]:
    """A session in the state's database."""
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        yield session


class TestPostgres(StateContract):
    @pytest.fixture(autouse=True)
    def _watch(self, inside: psycopg.Connection) -> None:
        self._inside = inside

    def await_end_of_session(self) -> None:
        """The server needs a moment to notice that a client is gone; the live run's lock stays."""
        query = f"{_LOCKS} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        wait_until(lambda: self._inside.execute(query).fetchone() == (1,), "the session of the killed process to end")


def failure(address: ServerAddress | StateSpec) -> StateError:
    with pytest.raises(StateError) as caught:
        open_state(address if isinstance(address, StateSpec) else spec_of(address))
    return caught.value


def test_rejected_rows_are_on_the_disk_though_the_server_would_not_wait(
    spec: StateSpec, inside: psycopg.Connection, database: ServerAddress
) -> None:
    inside.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(database.database)))
    inside.execute("CREATE TABLE seen (setting text)")
    with open_state(spec):
        pass
    inside.execute(
        """
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO public.seen VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$
        """
    )
    inside.execute("CREATE TRIGGER note BEFORE INSERT ON _rapidbyte_state.dead_letters EXECUTE FUNCTION note()")
    with open_state(spec) as state:
        state.dead_letters.put([LETTER], START)
    assert inside.execute("SELECT * FROM seen").fetchall() == [("on",)]


def test_state_of_a_newer_version_is_left_alone(spec: StateSpec, inside: psycopg.Connection) -> None:
    open_state(spec).close()
    inside.execute("UPDATE _rapidbyte_state.state_format SET version = %s", (VERSION + 1,))
    error = failure(spec)
    assert error.code == "state_too_new"
    assert f"(format {VERSION + 1}, here {VERSION}). Upgrade rapidbyte" in error.message


def test_schema_of_another_program_is_left_alone(spec: StateSpec, inside: psycopg.Connection) -> None:
    inside.execute("CREATE SCHEMA _rapidbyte_state")
    error = failure(spec)
    assert error.code == "state_foreign"
    assert "is not rapidbyte's. Name another database in state.connection." in error.message
    assert (
        inside.execute("SELECT 1 FROM pg_class WHERE relnamespace = '_rapidbyte_state'::regnamespace").fetchall() == []
    )


def test_wrong_password_is_told_without_it(database: ServerAddress) -> None:
    error = failure(replace(database, password="gEheim-7"))
    assert (type(error), error.code, error.category) == (StateDeniedError, "state_denied", Category.AUTH)
    assert "Check user and password in state.connection." in error.message
    assert "gEheim-7" not in str(error)


def test_missing_database_is_named(database: ServerAddress) -> None:
    error = failure(replace(database, database="no_such_database"))
    assert (error.code, error.category) == ("state_no_database", Category.CONFIG)
    assert 'database "no_such_database" does not exist' in error.message


def test_refused_port_is_named_and_may_be_tried_again(database: ServerAddress) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = unused.getsockname()[1]
        error = failure(replace(database, port=port))
    assert (type(error), error.code, error.retryable) == (StateUnreachableError, "state_unreachable", True)
    assert f"on 127.0.0.1:{port}, which keeps the state, cannot be reached" in error.message


def test_broken_connection_string_is_not_repeated() -> None:
    error = failure(StateSpec(StateBackend.POSTGRES, "postgres://ada:gEheim-7@[oops/db"))
    assert error.code == "state_connection"
    assert "gEheim-7" not in str(error)


def test_user_who_may_not_create_a_schema_is_told_what_to_grant(
    database: ServerAddress, role: Role, inside: psycopg.Connection
) -> None:
    inside.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(sql.Identifier(role.name)))
    error = failure(replace(database, user=role.name, password=role.variables["PGPASSWORD"]))
    assert (type(error), error.code) == (StateDeniedError, "state_denied")
    assert "permission denied for database" in error.message
    assert "GRANT CREATE ON DATABASE to the user of state.connection" in error.message


def cut_sessions(inside: psycopg.Connection) -> None:
    """End the sessions of the state, and wait until they are gone."""
    ours = "FROM pg_stat_activity WHERE application_name = 'rapidbyte state' AND datname = current_database()"
    inside.execute(f"SELECT pg_terminate_backend(pid) {ours}")
    wait_until(lambda: inside.execute(f"SELECT 1 {ours}").fetchall() == [], "the sessions to end")


def test_lost_session_is_replaced_and_its_run_ends_as_what_it_was(spec: StateSpec, inside: psycopg.Connection) -> None:
    with open_state(spec) as state:
        state.runs.start("r1", "p", START)
        cut_sessions(inside)
        with open_state(spec) as other:
            assert [run.status for run in other.runs.runs()] == [RunStatus.INTERRUPTED]
        state.dead_letters.put([LETTER], START)
        assert state.dead_letters.count() == 1
        inside.execute("UPDATE _rapidbyte_state.runs SET status = 'running'")
        with open_state(spec) as other:
            assert [run.status for run in other.runs.runs()] == [RunStatus.RUNNING]
        inside.execute("UPDATE _rapidbyte_state.runs SET status = 'interrupted'")
        state.runs.finish(RunReport("r1", "p", RunStatus.COMPLETED, 1.0, ()), START)
        assert [run.status for run in state.runs.runs()] == [RunStatus.COMPLETED]


def test_lost_server_is_told_as_unreachable(
    spec: StateSpec, inside: psycopg.Connection, session: psycopg.Connection, database: ServerAddress
) -> None:
    name = sql.Identifier(database.database)
    with open_state(spec) as state:
        session.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        cut_sessions(inside)
        for _ in range(2):
            with pytest.raises(StateUnreachableError, match=r"Check state\.connection and the server"):
                state.runs.runs()


def test_state_that_another_session_keeps_locked_is_busy(
    spec: StateSpec, inside: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_state(spec).close()
    monkeypatch.setattr("rapidbyte.state.postgres._SETTINGS", "SET lock_timeout = '50ms'")
    with inside.transaction():
        inside.execute("SELECT pg_advisory_xact_lock(x'72617069'::int, x'73746174'::int)")
        error = failure(spec)
    assert (error.code, error.retryable) == ("state_busy", True)


def test_missing_driver_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "rapidbyte.state.postgres", raising=False)
    error = failure(StateSpec(StateBackend.POSTGRES, "postgresql://localhost"))
    assert error.code == "state_driver_missing"
    assert error.message.endswith("Install it with: pip install 'rapidbyte[postgres]'")


def test_run_is_recorded_where_its_document_says(
    cli: Cli, seeded: Seed, database: ServerAddress, tmp_path: Path
) -> None:
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    document = tmp_path / "pipeline.yaml"
    template = Path("fixtures/pipelines/full_refresh.yaml").read_text(encoding="utf-8")
    state = "state: {backend: postgres, connection: '${STATE_DSN}'}\n"
    document.write_text(template + state, encoding="utf-8")
    ran = cli.run("run", str(document), STATE_DSN=database.dsn())
    assert ran.code == 0, ran.stderr
    by_document = cli.run("runs", "--file", str(document), STATE_DSN=database.dsn())
    assert by_document.code == 0, by_document.stderr
    assert by_document.stdout.splitlines()[1].split()[2:5] == ["full_refresh", "completed", "6"]
    by_uri = cli.run("runs", "--state", database.dsn())
    assert by_uri.stdout == by_document.stdout
    assert "No runs are recorded" in cli.run("runs").stderr


def test_interrupted_run_is_told_by_the_next_command(spec: StateSpec) -> None:
    with open_state(spec) as state:
        state.runs.start("r1", "p", START)
        with open_state(spec) as other:
            assert [run.status for run in other.runs.runs()] == [RunStatus.RUNNING]
    with open_state(spec) as state:
        assert [run.status for run in state.runs.runs()] == [RunStatus.INTERRUPTED]
