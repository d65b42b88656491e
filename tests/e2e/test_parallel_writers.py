"""By how many sessions a new table is written, and that it is the table that one session would have made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_gate import Gate
from harness.fix_pipelines import RunListened, RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from rapidbyte.embedded import ServerAddress

_PARTS = "fixtures/pipelines/parts.yaml"
_ROWS = 12_000


@pytest.fixture
def large(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    """The large table and where it goes."""
    seeded("fixtures/sql/large.sql")
    return TableName(schemas.source, "large"), TableName(schemas.destination, "large")


@pytest.fixture
def user(
    owner_session: psycopg.Connection, schemas: SchemaPair, seeded: Seed, run_pipeline: RunPipeline
) -> Iterator[Mapping[str, str]]:
    """The variables of a user who may read the source, write the destination and receipts, and no more."""
    seeded("fixtures/sql/users.sql")
    run_pipeline(_PARTS, STREAM="users")  # makes the table of receipts
    name = f"usr{schemas.source.removeprefix('src')}"
    grants = (
        "GRANT USAGE ON SCHEMA {s} TO {u}",
        "GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {u}",
        "GRANT USAGE, CREATE ON SCHEMA {d} TO {u}",
        "GRANT USAGE ON SCHEMA _rapidbyte TO {u}",
        "GRANT SELECT, INSERT, UPDATE ON _rapidbyte.receipts TO {u}",
    )
    names = {"s": schemas.source, "d": schemas.destination, "u": name}
    for statement in ("CREATE ROLE {u} LOGIN PASSWORD 'of-one-test'", *grants):
        owner_session.execute(sql.SQL(statement).format(**{key: sql.Identifier(text) for key, text in names.items()}))
    yield {"PGUSER": name, "PGPASSWORD": "of-one-test"}
    owner_session.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
    owner_session.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _lines(events: list[rapidbyte.Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, rapidbyte.LogLine)]


def test_target_that_appears_meanwhile_is_added_to(
    large: tuple[TableName, TableName], ask: Ask, gate: Gate, run_listened: RunListened
) -> None:
    gate.actions += [
        lambda: ask("CREATE SCHEMA {d}"),
        lambda: ask("CREATE TABLE {d}.large (LIKE {s}.large)"),
        lambda: ask("INSERT INTO {d}.large (id) VALUES (1)"),
    ]
    (stream,) = run_listened(_PARTS, gate.opened_by(2), LANES="2").streams
    assert (stream.rows_written, stream.attempts) == (_ROWS, 2)
    assert ask("SELECT count(*), count(code) FROM {d}.large") == [(_ROWS + 1, _ROWS)]
    del large


def test_user_who_may_make_no_table_on_the_way_writes_by_one_session(
    session: psycopg.Connection, large: tuple[TableName, TableName], user: Mapping[str, str], run_listened: RunListened
) -> None:
    session.execute(
        sql.SQL("GRANT SELECT ON {} TO {}").format(
            sql.Identifier(large[0].schema, "large"), sql.Identifier(user["PGUSER"])
        )
    )
    events: list[rapidbyte.Event] = []
    (stream,) = run_listened(_PARTS, events.append, LANES="3", **user).streams
    assert (stream.rows_written, stream.lanes) == (_ROWS, 1)
    assert _lines(events) == [
        f"{large[1]} is written by one session, since user {user['PGUSER']} may not CREATE in schema _rapidbyte"
    ]
    assert_same_table(session, *large)


@pytest.mark.parametrize(
    ("statement", "obstacle"),
    [
        ("CREATE PUBLICATION all_of_it FOR ALL TABLES", "a publication has all tables"),
        ("CREATE PUBLICATION one FOR TABLES IN SCHEMA d", "a publication has all tables of its schema"),
        (
            "ALTER DEFAULT PRIVILEGES IN SCHEMA _rapidbyte GRANT SELECT ON TABLES TO PUBLIC",
            "schema _rapidbyte has default privileges",
        ),
        ("SELECT 1", None),
    ],
    ids=["all tables published", "schema published", "default privileges", "nothing"],
)
def test_table_that_would_not_be_the_same_is_written_by_one_session(
    database: ServerAddress,
    variables: Mapping[str, str],
    run_listened: RunListened,
    statement: str,
    obstacle: str | None,
) -> None:
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        for schema in ("s", "d", "_rapidbyte"):
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        session.execute("CREATE TABLE s.large AS SELECT n, md5(n::text) FROM generate_series(1, 30000) AS n")
        session.execute(statement.encode())
        place = {"PGDATABASE": database.database, "SOURCE_SCHEMA": "s", "DESTINATION_SCHEMA": "d"}
        events: list[rapidbyte.Event] = []
        report = run_listened(_PARTS, events.append, LANES="2", **{**variables, **place})
        assert report.rows_written == 30_000
        expected = [] if obstacle is None else [f"d.large is written by one session, since {obstacle}"]
        assert _lines(events) == expected
        assert_same_table(session, TableName("s", "large"), TableName("d", "large"))


def test_run_goes_on_with_fewer_lanes_where_another_cannot_connect(
    session: psycopg.Connection,
    large: tuple[TableName, TableName],
    gate: Gate,
    user: Mapping[str, str],
    run_listened: RunListened,
) -> None:
    name = sql.Identifier(user["PGUSER"])
    session.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.Identifier(large[0].schema, "large"), name))
    session.execute(sql.SQL("GRANT CREATE ON SCHEMA _rapidbyte TO {}").format(name))
    session.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT 2").format(name))
    said: list[str] = []

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.LogLine):
            said.append(event.message)
            gate.open()

    gate.close()
    (stream,) = run_listened(_PARTS, listen, LANES="2", **user).streams
    assert (stream.rows_written, stream.lanes, stream.attempts) == (_ROWS, 1, 1)
    assert said == [f'The run goes on with 1 at once: too many connections for role "{user["PGUSER"]}"']
    assert_same_table(session, *large)


def test_table_has_the_default_privileges_of_its_schema(
    large: tuple[TableName, TableName], ask: Ask, gate: Gate, run_listened: RunListened
) -> None:
    ask("CREATE SCHEMA {d}")
    ask("ALTER DEFAULT PRIVILEGES IN SCHEMA {d} GRANT SELECT ON TABLES TO PUBLIC")
    ask("ALTER DEFAULT PRIVILEGES IN SCHEMA {d} GRANT INSERT ON TABLES TO CURRENT_USER WITH GRANT OPTION")
    ask("CREATE TABLE {d}.made (id int)")
    assert run_listened(_PARTS, gate.opened_by(2), LANES="2").streams[0].lanes == 2
    acl = "SELECT ARRAY(SELECT unnest(relacl)::text ORDER BY 1), reloptions FROM pg_class WHERE oid = %s::regclass"
    made, moved = (ask(acl, f'"{large[1].schema}".{name}') for name in ("made", "large"))
    assert moved == made
