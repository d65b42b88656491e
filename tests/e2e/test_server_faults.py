"""Servers that fail under a run: it recovers, or ends as an error with the remedy, and the next run has every row."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import rapidbyte
from harness.faulty_server import FaultyServer, faulty_server
from harness.seeds import seed
from harness.waiting import wait_until
from rapidbyte.cli.failure import failure_text
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import AuthError, TransientDatabaseError

_ROWS = 3000
_INCREMENTAL = {"sync_mode": "incremental", "cursor_field": "at"}
_FULL = {"sync_mode": "full_refresh"}
_WAYS = pytest.mark.parametrize(
    "way",
    [{**_FULL, "write_mode": "append"}, {**_FULL, "write_mode": "replace"}, {**_INCREMENTAL, "write_mode": "append"}],
    ids=["append", "replace", "incremental append"],
)
# A target whose 1500th row waits for two locks, one after the other.
_WAIT_IN_THE_MIDDLE = """
    CREATE TABLE target.first (LIKE shop.first INCLUDING ALL);
    CREATE SEQUENCE target.seen;
    CREATE FUNCTION target.wait() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('target.seen') = 1500 THEN
            PERFORM pg_advisory_xact_lock(7);
            PERFORM pg_advisory_xact_lock(8);
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER wait BEFORE INSERT ON target.first FOR EACH ROW EXECUTE FUNCTION target.wait();
"""


@pytest.fixture(scope="module")
def faulty() -> Iterator[FaultyServer]:
    """A server for this file alone."""
    with faulty_server(deadlock_timeout="100ms") as server:
        yield server


@pytest.fixture
def session(faulty: FaultyServer) -> Iterator[psycopg.Connection]:
    """A session in a server that holds the source's tables and nothing else."""
    with psycopg.connect(faulty.address.dsn(), autocommit=True) as session:
        session.execute(
            "DROP SCHEMA IF EXISTS shop, target, _rapidbyte CASCADE; CREATE SCHEMA shop; CREATE SCHEMA target"
        )
        seed(session, "shop", "fixtures/sql/two_tables.sql")
        yield session


class Run(threading.Thread):
    """A run in the background; `finish` returns its report, or raises its error."""

    def __init__(self, document: Mapping[str, Any], state: Path) -> None:
        super().__init__()
        self._document = document
        self._state = state
        self._report: rapidbyte.RunReport | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        """Run the pipeline."""
        try:
            self._report = rapidbyte.run_pipeline(self._document, state_path=self._state)
        except BaseException as error:  # handed to whoever waits
            self._error = error

    def finish(self) -> rapidbyte.RunReport:
        """Wait for the end."""
        self.join()
        if self._error is not None:
            raise self._error
        assert self._report is not None
        return self._report


def _document(server: ServerAddress, way: Mapping[str, str], max_retries: int, **user: str) -> dict[str, Any]:
    config = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
        "database": server.database,
    }
    return {
        "version": "1.0",
        "pipeline": "faults",
        "source": {"use": "postgres", "config": {**config, "schema": "shop"}, "streams": [{"name": "first", **way}]},
        "destination": {"use": "postgres", "config": {**config, **user, "schema": "target"}, "write_mode": "append"},
        "resources": {"max_retries": max_retries, "checkpoint_interval_rows": 700, "max_batch_bytes": "64kb"},
    }


@contextmanager
def _held_in_the_middle(server: FaultyServer, run: Run) -> Iterator[None]:
    """Start a run and hold it in the middle of its stream for as long as the block takes."""
    with psycopg.connect(server.address.dsn(), autocommit=True) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        run.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        wait_until(lambda: holder.execute(waits).fetchone() == (1,), "the run to be in the middle of its stream")
        yield


def _rows_are_exact(server: FaultyServer) -> bool:
    difference = """
        (TABLE shop.first EXCEPT ALL TABLE target.first) UNION ALL (TABLE target.first EXCEPT ALL TABLE shop.first)
    """
    with psycopg.connect(server.address.dsn()) as session:
        return session.execute(difference).fetchall() == []


@_WAYS
@pytest.mark.parametrize("fault", [FaultyServer.restart, FaultyServer.kill], ids=["restarted", "killed"])
def test_run_whose_server_goes_away_and_comes_back_moves_every_row_once(
    faulty: FaultyServer,
    session: psycopg.Connection,
    tmp_path: Path,
    way: dict[str, str],
    fault: Callable[[FaultyServer], None],
) -> None:
    session.execute(_WAIT_IN_THE_MIDDLE)
    session.close()
    run = Run(_document(faulty.address, way, max_retries=8), tmp_path / "state.db")
    with _held_in_the_middle(faulty, run):
        fault(faulty)
        faulty.start()
    (stream,) = run.finish().streams
    assert stream.rows_written == _ROWS
    assert stream.attempts > 1  # as many as it takes until the server is back
    assert _rows_are_exact(faulty)


@_WAYS
def test_server_that_stays_away_is_an_error_and_the_next_run_has_every_row(
    faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path, way: dict[str, str]
) -> None:
    session.execute(_WAIT_IN_THE_MIDDLE)
    session.close()
    document = _document(faulty.address, way, max_retries=0)
    run = Run(document, tmp_path / "state.db")
    with _held_in_the_middle(faulty, run):
        faulty.stop()
        with pytest.raises(TransientDatabaseError) as caught:
            run.finish()
        faulty.start()
    assert caught.value.code == "57P01"
    assert "hint: the server was shut down" in failure_text(caught.value)
    rapidbyte.run_pipeline(document, state_path=tmp_path / "state.db")
    assert _rows_are_exact(faulty)


def _as_user(session: psycopg.Connection, *settings: str) -> dict[str, str]:
    """Make a superuser with settings of its own, and return what connects as this user."""
    if session.execute("SELECT to_regrole('other')").fetchone() != (None,):
        session.execute("REASSIGN OWNED BY other TO CURRENT_USER; DROP OWNED BY other; DROP ROLE other")
    session.execute("CREATE ROLE other LOGIN SUPERUSER PASSWORD 'other'")
    for setting in settings:
        session.execute(f"ALTER ROLE other SET {setting}".encode())
    return {"user": "other", "password": "other"}


def test_lock_that_is_not_to_be_had_is_an_error_with_the_remedy_and_no_row(
    faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path
) -> None:
    session.execute("CREATE TABLE target.first (LIKE shop.first)")
    document = _document(faulty.address, _FULL, 0, **_as_user(session, "lock_timeout = '300ms'"))
    with psycopg.connect(faulty.address.dsn()) as other:
        other.execute("LOCK TABLE target.first")
        with pytest.raises(TransientDatabaseError, match="lock timeout") as caught:
            rapidbyte.run_pipeline(document, state_path=tmp_path / "state.db")
    assert (caught.value.code, caught.value.retryable) == ("55P03", True)
    assert "hint: another session locks the table" in failure_text(caught.value)
    assert session.execute("SELECT count(*) FROM target.first").fetchone() == (0,)
    assert rapidbyte.run_pipeline(document, state_path=tmp_path / "state.db").rows_written == _ROWS
    assert _rows_are_exact(faulty)


def test_statement_that_takes_too_long_is_an_error_with_the_remedy_and_no_row(
    faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path
) -> None:
    session.execute(_WAIT_IN_THE_MIDDLE)
    hurried = _document(faulty.address, _FULL, 0, **_as_user(session, "statement_timeout = '700ms'"))
    with psycopg.connect(faulty.address.dsn()) as other:
        other.execute("SELECT pg_advisory_xact_lock(7)")
        with pytest.raises(TransientDatabaseError, match="statement timeout") as caught:
            rapidbyte.run_pipeline(hurried, state_path=tmp_path / "state.db")
    assert (caught.value.code, caught.value.retryable) == ("57014", True)
    assert "hint: raise statement_timeout" in failure_text(caught.value)
    assert session.execute("SELECT count(*) FROM target.first").fetchone() == (0,)
    patient = _document(faulty.address, _FULL, 0)
    assert rapidbyte.run_pipeline(patient, state_path=tmp_path / "state.db").rows_written == _ROWS
    assert _rows_are_exact(faulty)


def test_victim_of_a_deadlock_tries_again(faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path) -> None:
    session.execute(_WAIT_IN_THE_MIDDLE)
    run = Run(_document(faulty.address, _FULL, max_retries=3), tmp_path / "state.db")
    with psycopg.connect(faulty.address.dsn()) as other:
        # It waits first and does not look for deadlocks, so the run finds this one, and is its victim.
        other.execute("SET deadlock_timeout = '10min'; SELECT pg_advisory_xact_lock(8)")
        locking = threading.Thread(target=lambda: other.execute("LOCK TABLE target.first"))
        with _held_in_the_middle(faulty, run):
            locking.start()
            waits = "SELECT count(*) FROM pg_locks WHERE relation = 'target.first'::regclass AND NOT granted"
            wait_until(lambda: session.execute(waits).fetchone() == (1,), "the other to wait for the table")
        locking.join()
    (stream,) = run.finish().streams
    assert (stream.rows_written, stream.attempts) == (_ROWS, 2)
    assert _rows_are_exact(faulty)


def test_server_without_room_for_another_session_is_an_error_with_the_remedy(
    faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path
) -> None:
    user = _as_user(session)
    session.execute("ALTER ROLE other NOSUPERUSER CONNECTION LIMIT 1; GRANT ALL ON SCHEMA target TO other")
    session.execute("GRANT CREATE ON DATABASE postgres TO other")
    document = _document(faulty.address, _FULL, 0, **user)
    taken = psycopg.connect(faulty.address.dsn(), user="other", password="other")
    with taken, pytest.raises(TransientDatabaseError, match="too many connections") as caught:
        rapidbyte.run_pipeline(document, state_path=tmp_path / "state.db")
    assert (caught.value.code, caught.value.retryable) == ("53300", True)
    assert "hint: wait for other sessions to end" in failure_text(caught.value)
    assert session.execute("SELECT to_regclass('target.first')").fetchone() == (None,)


def test_run_that_finds_no_room_at_its_start_waits_for_some(
    faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path
) -> None:
    user = _as_user(session)
    session.execute("ALTER ROLE other NOSUPERUSER CONNECTION LIMIT 1; GRANT ALL ON SCHEMA target TO other")
    session.execute("GRANT CREATE ON DATABASE postgres TO other")
    taken = psycopg.connect(faulty.address.dsn(), user="other", password="other")
    said: list[str] = []

    def make_room(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.LogLine):
            said.append(event.message)
            taken.close()

    report = rapidbyte.run_pipeline(
        _document(faulty.address, _FULL, 1, **user), state_path=tmp_path / "state.db", on_event=make_room
    )
    assert [(stream.rows_written, stream.attempts) for stream in report.streams] == [(_ROWS, 1)]
    assert said == [
        'The start of the run failed: too many connections for role "other" Attempt 2 of 2 begins in 0.5 s.'
    ]
    assert _rows_are_exact(faulty)


def test_run_that_begins_while_its_server_is_down_waits_for_it(
    faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path
) -> None:
    session.close()
    faulty.stop()
    started = threading.Event()

    def start(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.LogLine) and not started.is_set():
            started.set()
            faulty.start()

    report = rapidbyte.run_pipeline(
        _document(faulty.address, _FULL, 2), state_path=tmp_path / "state.db", on_event=start
    )
    assert started.is_set()
    assert [(stream.rows_written, stream.attempts) for stream in report.streams] == [(_ROWS, 1)]
    assert _rows_are_exact(faulty)


def test_wrong_password_is_not_tried_again(faulty: FaultyServer, session: psycopg.Connection, tmp_path: Path) -> None:
    del session
    events: list[rapidbyte.Event] = []
    with pytest.raises(AuthError):
        rapidbyte.run_pipeline(
            _document(faulty.address, _FULL, 3, password="wrong"),
            state_path=tmp_path / "state.db",
            on_event=events.append,
        )
    assert [event for event in events if isinstance(event, rapidbyte.LogLine)] == []
