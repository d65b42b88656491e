"""replace: the target holds the source's rows, in one step for its readers, and stays what it is but for them."""

from __future__ import annotations

import threading

import psycopg
import pytest

from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import DataError

_MODES = "fixtures/pipelines/modes.yaml"


@pytest.fixture
def users(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    """The seeded users and where they go."""
    seeded("fixtures/sql/users.sql")
    return TableName(schemas.source, "users"), TableName(schemas.destination, "users")


@pytest.mark.parametrize("method", ["copy", "insert"])
def test_every_run_leaves_exactly_the_rows_of_the_source(
    session: psycopg.Connection, users: tuple[TableName, TableName], ask: Ask, run_pipeline: RunPipeline, method: str
) -> None:
    for change in ("SELECT 1", "DELETE FROM {s}.users WHERE id = 2", "UPDATE {s}.users SET name = 'Al' WHERE id = 1"):
        ask(change)
        report = run_pipeline(_MODES, STREAM="users", WRITE_MODE="replace", LOAD_METHOD=method)
        assert report.rows_written == ask("SELECT count(*) FROM {s}.users")[0][0]
        assert_same_table(session, *users)


@pytest.mark.parametrize("method", ["copy", "insert"])
def test_types_that_the_server_casts_are_replaced_too(
    session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline, method: str
) -> None:
    seeded("fixtures/sql/all_types.sql")
    for _ in range(2):
        run_pipeline(_MODES, STREAM="all_types", WRITE_MODE="replace", LOAD_METHOD=method)
    assert_same_table(session, TableName(schemas.source, "all_types"), TableName(schemas.destination, "all_types"))


@pytest.mark.usefixtures("users")
def test_empty_source_gives_an_empty_table(ask: Ask, run_pipeline: RunPipeline) -> None:
    run_pipeline(_MODES, STREAM="users", WRITE_MODE="replace")
    ask("DELETE FROM {s}.users")
    report = run_pipeline(_MODES, STREAM="users", WRITE_MODE="replace")
    assert report.rows_written == 0
    assert ask("SELECT count(*) FROM {d}.users") == [(0,)]


def test_indexes_grants_views_and_foreign_keys_survive(
    session: psycopg.Connection,
    users: tuple[TableName, TableName],
    schemas: SchemaPair,
    ask: Ask,
    run_pipeline: RunPipeline,
) -> None:
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.users (LIKE {s}.users INCLUDING ALL)")
    ask("CREATE INDEX by_name ON {d}.users (name)")
    ask("GRANT SELECT ON {d}.users TO PUBLIC")
    ask("CREATE VIEW {d}.names AS SELECT name FROM {d}.users")
    run_pipeline(_MODES, STREAM="users", WRITE_MODE="replace")
    ask("CREATE TABLE {d}.visits (user_id int REFERENCES {d}.users ON DELETE CASCADE)")
    ask("INSERT INTO {d}.visits VALUES (1), (2), (3)")
    ask("DELETE FROM {s}.users WHERE id = 3")
    ask("UPDATE {s}.users SET name = 'Bobby' WHERE id = 2")
    report = run_pipeline(_MODES, STREAM="users", WRITE_MODE="replace")
    assert report.rows_written == 2
    assert_same_table(session, *users)
    assert ask("SELECT name FROM {d}.names ORDER BY 1") == [("Alice",), ("Bobby",)]
    assert ask("SELECT user_id FROM {d}.visits ORDER BY 1") == [(1,), (2,)]  # of the third, the user is gone
    indexes = "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND tablename = 'users' ORDER BY 1"
    assert ask(indexes, schemas.destination) == [("by_name",), ("users_pkey",)]
    relation = f'"{schemas.destination}"."users"'
    assert ask("SELECT relacl::text LIKE %s FROM pg_class WHERE oid = %s::regclass", "%=r/%", relation) == [(True,)]


def test_failed_replace_leaves_the_old_rows(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE VIEW {s}.numbers AS SELECT n AS id, 1 / (1 - n) AS broken FROM generate_series(2, 10) AS n")
    run_pipeline(_MODES, STREAM="numbers", WRITE_MODE="replace")
    before = ask("SELECT * FROM {d}.numbers ORDER BY id")
    ask(
        "CREATE OR REPLACE VIEW {s}.numbers AS SELECT n AS id, 1 / (50000 - n) AS broken "
        "FROM generate_series(1, 60000) AS n"
    )
    with pytest.raises(DataError, match="division by zero"):
        run_pipeline(_MODES, STREAM="numbers", WRITE_MODE="replace")
    assert len(before) == 9
    assert ask("SELECT * FROM {d}.numbers ORDER BY id") == before


def test_reader_sees_the_old_rows_or_the_new_ones(
    ask: Ask, schemas: SchemaPair, server: ServerAddress, run_pipeline: RunPipeline
) -> None:
    ask("CREATE TABLE {s}.versions AS SELECT n AS id, 0 AS version FROM generate_series(1, 5000) AS n")
    run_pipeline(_MODES, STREAM="versions", WRITE_MODE="replace")
    seen: set[tuple[int, int, int]] = set()
    is_over = threading.Event()

    def look() -> None:
        query = f'SELECT count(*), min(version), max(version) FROM "{schemas.destination}".versions'
        with psycopg.connect(server.dsn(), autocommit=True) as reader:
            while not is_over.is_set():
                seen.update(reader.execute(query.encode()).fetchall())

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for version in (1, 2, 3):
            ask("UPDATE {s}.versions SET version = %s", version)
            run_pipeline(_MODES, STREAM="versions", WRITE_MODE="replace")
    finally:
        is_over.set()
        thread.join()
    assert seen <= {(5000, version, version) for version in range(4)}
    assert (5000, 0, 0) in seen


def test_row_whose_key_is_equal_by_its_own_type_stays_for_those_that_refer_to_it(
    database: ServerAddress, run_pipeline: RunPipeline
) -> None:
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        session.execute(
            "CREATE EXTENSION citext; CREATE SCHEMA s; CREATE SCHEMA d; "
            "CREATE TABLE s.words (word citext, n int); INSERT INTO s.words VALUES ('YES', 2), ('new', 3); "
            "CREATE TABLE d.words (word citext PRIMARY KEY, n int); INSERT INTO d.words VALUES ('yes', 1), ('no', 1); "
            "CREATE TABLE d.uses (word citext REFERENCES d.words ON DELETE CASCADE); "
            "INSERT INTO d.uses VALUES ('Yes'), ('No')"
        )
        place = {"PGDATABASE": database.database, "DESTINATION_DATABASE": database.database}
        schemas = {"SOURCE_SCHEMA": "s", "DESTINATION_SCHEMA": "d"}
        run_pipeline(_MODES, STREAM="words", WRITE_MODE="replace", **place, **schemas)
        assert session.execute("SELECT word::text, n FROM d.words ORDER BY n").fetchall() == [("YES", 2), ("new", 3)]
        assert session.execute("SELECT word::text FROM d.uses").fetchall() == [("Yes",)]
