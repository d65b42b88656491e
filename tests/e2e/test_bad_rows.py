"""Rows that cannot be moved, really seeded: fail, skip and dlq, at the source and at the destination."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.cli import Cli
from harness.fix_pipelines import RunPipeline
from harness.fix_tables import Ask
from harness.names import SchemaPair, database_name
from harness.schemas import drop_database
from rapidbyte.engine.points import VARIABLE
from rapidbyte.errors import Category, DataError, DeadLettersFullError, SchemaError
from rapidbyte.model import RunReport, StateSpec
from rapidbyte.state import DeadLetter, RejectedAt, open_state

_MODES = "fixtures/pipelines/modes.yaml"
_METHODS = pytest.mark.parametrize("method", ["copy", "insert"])

Letters = Callable[[], list[DeadLetter]]


@pytest.fixture
def letters(state_path: Path) -> Letters:
    """What the dead-letter queue holds."""

    def read() -> list[DeadLetter]:
        with open_state(StateSpec(connection=str(state_path))) as state:
            return [stored.letter for stored in state.dead_letters.list()]

    return read


@pytest.fixture
def target(ask: Ask) -> None:
    """Ten rows at the source, and a table in the destination that takes any."""
    ask("CREATE TABLE {s}.t (id int, n int, label text)")
    ask("INSERT INTO {s}.t SELECT i, i * 10, 'row ' || i FROM generate_series(1, 10) AS i")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int, n int, label text)")
    ask("CREATE TABLE {d}.numbers (n int PRIMARY KEY)")
    ask("INSERT INTO {d}.numbers SELECT i * 10 FROM generate_series(1, 10) AS i")


def _counts(report: RunReport) -> tuple[int, int, int]:
    (stream,) = report.streams
    return stream.rows_read, stream.rows_written, stream.rows_rejected


CONSTRAINTS = [
    pytest.param("ALTER COLUMN label SET NOT NULL", "(11, 10, NULL), (12, 20, NULL)", "23502", id="not null"),
    pytest.param("ADD CHECK (n < 1000)", "(11, 1000, 'a'), (12, 1001, 'b')", "23514", id="check"),
    pytest.param("ADD UNIQUE (id)", "(1, 10, 'a'), (10, 20, 'b')", "23505", id="unique"),
    pytest.param("ADD FOREIGN KEY (n) REFERENCES {d}.numbers", "(11, 5, 'a'), (12, 6, 'b')", "23503", id="reference"),
    pytest.param(
        "ADD FOREIGN KEY (n) REFERENCES {d}.numbers DEFERRABLE INITIALLY DEFERRED",
        "(11, 5, 'a'), (12, 6, 'b')",
        "23503",
        id="deferred reference",
    ),
]


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize(("constraint", "bad", "code"), CONSTRAINTS)
@_METHODS
def test_rows_that_break_a_constraint_are_skipped_kept_or_fail_the_run(
    ask: Ask, run_pipeline: RunPipeline, letters: Letters, constraint: str, bad: str, code: str, method: str
) -> None:
    ask("ALTER TABLE {d}.t " + constraint)
    good = ask("SELECT * FROM {s}.t ORDER BY id")
    ask("INSERT INTO {s}.t VALUES " + bad)
    chosen = {"STREAM": "t", "LOAD_METHOD": method}
    with pytest.raises(DataError) as caught:
        run_pipeline(_MODES, **chosen)
    assert caught.value.code == code
    assert ask("SELECT count(*) FROM {d}.t") == [(0,)]
    assert _counts(run_pipeline(_MODES, **chosen, ON_DATA_ERROR="skip")) == (12, 10, 2)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == good
    assert letters() == []
    ask("TRUNCATE {d}.t")
    assert _counts(run_pipeline(_MODES, **chosen, ON_DATA_ERROR="dlq")) == (12, 10, 2)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == good
    kept = letters()
    assert [(letter.rejected_at, letter.category, letter.code) for letter in kept] == [
        (RejectedAt.DESTINATION, Category.DATA, code)
    ] * 2
    expected = ask("SELECT id::text, n::text, label FROM (VALUES " + bad + ") AS bad (id, n, label)")
    assert [tuple(letter.row[column] for column in ("id", "n", "label")) for letter in kept] == expected


@pytest.mark.usefixtures("target")
def test_letter_says_whose_row_it_is_and_why(ask: Ask, run_pipeline: RunPipeline, letters: Letters) -> None:
    ask("ALTER TABLE {d}.t ADD CONSTRAINT small CHECK (n < 1000), ADD COLUMN span interval, ADD COLUMN j jsonb")
    ask("ALTER TABLE {s}.t ADD COLUMN span interval, ADD COLUMN j jsonb")
    ask("""INSERT INTO {s}.t VALUES (11, 1000, 'é', '1 day', '{{"a": null}}')""")
    report = run_pipeline(_MODES, STREAM="t", ON_DATA_ERROR="dlq")
    (letter,) = letters()
    assert (letter.pipeline, letter.stream, letter.run_id) == ("modes", "t", report.run_id)
    assert letter.row == {"id": "11", "n": "1000", "label": "é", "span": "1 day", "j": '{"a": null}'}
    (reason,) = letter.reasons
    assert reason.startswith('new row for relation "t" violates check constraint "small"')


@pytest.fixture
def latin_database(owner_session: psycopg.Connection, schemas: SchemaPair) -> Iterator[str]:
    """The name of a database that cannot hold most characters."""
    name = database_name(schemas)
    statement = sql.SQL("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    owner_session.execute(statement.format(sql.Identifier(name)))
    yield name
    drop_database(owner_session, name)


def test_value_that_the_destination_cannot_hold_is_in_the_letter_as_it_came(
    ask: Ask, run_pipeline: RunPipeline, latin_database: str, letters: Letters
) -> None:
    ask("CREATE TABLE {s}.t (id int, label text, note text)")
    ask("INSERT INTO {s}.t VALUES (1, 'é', 'a'), (2, '東京', 'b')")
    report = run_pipeline(_MODES, STREAM="t", ON_DATA_ERROR="dlq", DESTINATION_DATABASE=latin_database)
    assert _counts(report) == (2, 1, 1)
    (letter,) = letters()
    expected = {"id": "2", "label": "東京", "note": "b"}
    assert (letter.code, letter.row, letter.unreadable) == ("22P05", expected, ())


@pytest.mark.usefixtures("target")
def test_few_bad_rows_among_many_are_found(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("TRUNCATE {s}.t")
    ask("INSERT INTO {s}.t SELECT i, i, repeat('x', 10) FROM generate_series(1, 40000) AS i")
    ask("UPDATE {s}.t SET n = -1 WHERE id IN (1, 16384, 16385, 40000)")
    ask("ALTER TABLE {d}.t ADD CHECK (n > 0)")
    assert _counts(run_pipeline(_MODES, STREAM="t", ON_DATA_ERROR="skip")) == (40000, 39996, 4)
    assert ask("SELECT count(*), count(DISTINCT id), min(n) FROM {d}.t") == [(39996, 39996, 2)]


@_METHODS
def test_upsert_and_replace_leave_bad_rows_out(ask: Ask, run_pipeline: RunPipeline, method: str) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, n bigint)")
    ask("INSERT INTO {s}.t VALUES (1, 10), (2, 4294967296), (3, 30)")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int PRIMARY KEY, n int)")
    ask("INSERT INTO {d}.t VALUES (2, 2), (9, 9)")
    chosen = {"STREAM": "t", "ON_DATA_ERROR": "skip", "TYPE_CHANGE": "coerce", "LOAD_METHOD": method}
    assert _counts(run_pipeline(_MODES, **chosen, WRITE_MODE="upsert")) == (3, 2, 1)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10), (2, 2), (3, 30), (9, 9)]
    assert _counts(run_pipeline(_MODES, **chosen, WRITE_MODE="replace")) == (3, 2, 1)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10), (3, 30)]


def test_incremental_goes_on_after_rows_that_were_left_out(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, n int)")
    ask("INSERT INTO {s}.t VALUES (1, 10), (2, -1), (3, -1)")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int, n int CHECK (n > 0))")
    chosen = {"STREAM": "t", "SYNC_MODE": "incremental", "CURSOR": "id", "ON_DATA_ERROR": "skip"}
    assert _counts(run_pipeline(_MODES, **chosen)) == (3, 1, 2)
    ask("INSERT INTO {s}.t VALUES (4, 40)")
    assert _counts(run_pipeline(_MODES, **chosen)) == (1, 1, 0)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10), (4, 40)]


@pytest.mark.parametrize("sync_mode", ["full_refresh", "incremental"])
def test_row_that_cannot_be_read_is_skipped_kept_or_fails_the_run(
    ask: Ask, run_pipeline: RunPipeline, letters: Letters, sync_mode: str
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, label text, at timestamp)")
    ask("INSERT INTO {s}.t VALUES (1, 'a', '2024-01-01'), (2, 'b', '294247-01-10 04:00:54.775807'), (3, NULL, NULL)")
    chosen = {"STREAM": "t", "SYNC_MODE": sync_mode, "CURSOR": "id" if sync_mode == "incremental" else ""}
    with pytest.raises(DataError) as caught:
        run_pipeline(_MODES, **chosen)
    assert caught.value.code == "value_out_of_range"
    assert _counts(run_pipeline(_MODES, **chosen, ON_DATA_ERROR="dlq")) == (3, 2, 1)
    assert ask("SELECT id, label, at::text FROM {d}.t ORDER BY id") == [
        (1, "a", "2024-01-01 00:00:00"),
        (3, None, None),
    ]
    (letter,) = letters()
    assert (letter.rejected_at, letter.code, letter.row["id"]) == (RejectedAt.SOURCE, "value_out_of_range", "2")
    assert (letter.row["label"], letter.reasons) == (
        "b",
        ("Column at: a timestamp is outside the range that can be moved.",),
    )


@pytest.mark.usefixtures("target")
def test_row_that_two_attempts_meet_is_kept_once(ask: Ask, run_pipeline: RunPipeline, letters: Letters) -> None:
    ask("ALTER TABLE {d}.t ADD CHECK (n < 1000)")
    ask("INSERT INTO {s}.t VALUES (11, 1000, 'a'), (11, 1000, 'a'), (12, 10, 'last')")
    ask("CREATE SEQUENCE {d}.attempts")
    ask(
        "CREATE FUNCTION {d}.end_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.id = 12 AND nextval(TG_TABLE_SCHEMA || '.attempts') = 1 THEN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$"
    )
    ask("CREATE TRIGGER end_once AFTER INSERT ON {d}.t FOR EACH ROW EXECUTE FUNCTION {d}.end_once()")
    (stream,) = run_pipeline(_MODES, STREAM="t", ON_DATA_ERROR="dlq").streams
    assert (stream.rows_written, stream.rows_rejected, stream.attempts) == (11, 2, 2)
    assert ask("SELECT count(*) FROM {d}.t") == [(11,)]
    assert [letter.row["id"] for letter in letters()] == ["11", "11"]


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize("mode", ["append", "replace"])
def test_equal_rows_of_a_killed_run_are_kept_each_once_by_the_next(
    ask: Ask, run_pipeline: RunPipeline, cli: Cli, letters: Letters, state_path: Path, mode: str
) -> None:
    ask("ALTER TABLE {d}.t ADD CHECK (n < 1000)")
    ask("INSERT INTO {s}.t VALUES (11, 1000, 'a'), (11, 1000, 'a'), (12, 2000, 'b')")
    chosen = {"STREAM": "t", "ON_DATA_ERROR": "dlq", "STATE_PATH": str(state_path), "WRITE_MODE": mode}
    for point in ("destination.rejected", "destination.rejected:3", "destination.before_commit"):
        killed = cli.run("run", _MODES, **chosen, **{VARIABLE: point})
        assert killed.code == -signal.SIGKILL, killed.stderr
        assert letters() != []
    report = run_pipeline(_MODES, **chosen)
    assert _counts(report) == (13, 10, 3)
    assert [(letter.run_id, letter.row["id"]) for letter in letters()] == [
        (report.run_id, key) for key in ("11", "11", "12")
    ]


@pytest.mark.parametrize("point", ["destination.before_commit:2", "destination.committed:2"])
def test_unreadable_rows_of_a_killed_run_are_kept_once(
    ask: Ask, run_pipeline: RunPipeline, cli: Cli, letters: Letters, state_path: Path, point: str
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, note text, at timestamp)")
    ask("INSERT INTO {s}.t SELECT i, repeat('x', 99), '2024-01-01' FROM generate_series(1, 5000) AS i")
    ask("UPDATE {s}.t SET at = '294247-01-10 04:00:54.775807' WHERE id % 700 = 1")
    chosen = {"STREAM": "t", "SYNC_MODE": "incremental", "CURSOR": "id", "ON_DATA_ERROR": "dlq"}
    chosen |= {"STATE_PATH": str(state_path), "BATCH_BYTES": "64kb", "CHECKPOINT_ROWS": "500"}
    killed = cli.run("run", _MODES, **chosen, **{VARIABLE: point})
    assert killed.code == -signal.SIGKILL, killed.stderr
    run_pipeline(_MODES, **chosen)
    assert ask("SELECT count(*), count(DISTINCT id) FROM {d}.t") == [(4992, 4992)]
    assert sorted(int(letter.row["id"]) for letter in letters()) == list(range(1, 5000, 700))


@pytest.mark.usefixtures("target")
def test_rows_that_earlier_attempts_left_out_are_counted_and_in_the_history(
    ask: Ask, run_pipeline: RunPipeline, state_path: Path
) -> None:
    ask("TRUNCATE {s}.t")
    ask("INSERT INTO {s}.t SELECT i, i, repeat('x', 90) FROM generate_series(1, 5000) AS i")
    ask("ALTER TABLE {d}.t ADD CHECK (n % 1000 <> 7)")
    ask("CREATE SEQUENCE {d}.attempts")
    ask(
        "CREATE FUNCTION {d}.end_once() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.id = 4500 AND nextval(TG_TABLE_SCHEMA || '.attempts') = 1 THEN "
        "PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$"
    )
    ask("CREATE TRIGGER end_once AFTER INSERT ON {d}.t FOR EACH ROW EXECUTE FUNCTION {d}.end_once()")
    chosen = {"STREAM": "t", "SYNC_MODE": "incremental", "CURSOR": "id", "ON_DATA_ERROR": "skip"}
    report = run_pipeline(_MODES, **chosen, BATCH_BYTES="64kb", CHECKPOINT_ROWS="500")
    assert report.streams[0].attempts == 2
    assert _counts(report) == (5000, 4995, 5)
    with open_state(StateSpec(connection=str(state_path))) as state:
        (run,) = state.runs.runs()
    assert (run.rows_read, run.rows_written, run.rows_rejected, run.streams) == (5000, 4995, 5, report.streams)


@pytest.mark.usefixtures("target")
def test_full_queue_fails_the_run_and_nothing_is_committed(
    ask: Ask, variables: Mapping[str, str], state_path: Path
) -> None:
    ask("ALTER TABLE {d}.t ADD CHECK (n < 95)")
    ask("INSERT INTO {s}.t VALUES (11, 1000, 'a')")
    chosen = {"STREAM": "t", "ON_DATA_ERROR": "dlq", "STATE_PATH": str(state_path), "MAX_DEAD_LETTERS": "1"}
    with pytest.raises(DeadLettersFullError) as caught:
        rapidbyte.run_pipeline(Path(_MODES), env={**variables, **chosen})
    assert caught.value.code == "dlq_full"
    assert ask("SELECT count(*) FROM {d}.t") == [(0,)]


@pytest.mark.parametrize("policy", ["skip", "dlq"])
def test_referenced_table_is_not_replaced_in_part_which_check_tells(
    ask: Ask, run_pipeline: RunPipeline, variables: Mapping[str, str], policy: str
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY)")
    ask("INSERT INTO {s}.t VALUES (1)")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int PRIMARY KEY)")
    ask("CREATE TABLE {d}.child (id int REFERENCES {d}.t)")
    chosen = {"STREAM": "t", "WRITE_MODE": "replace"}
    for act in (
        lambda: run_pipeline(_MODES, **chosen, ON_DATA_ERROR=policy),
        lambda: rapidbyte.check_pipeline(Path(_MODES), env={**variables, **chosen, "ON_DATA_ERROR": policy}),
    ):
        with pytest.raises(SchemaError, match="with on_data_error: fail") as caught:
            act()
        assert caught.value.code == "referenced_table"
    assert run_pipeline(_MODES, **chosen).rows_written == 1
