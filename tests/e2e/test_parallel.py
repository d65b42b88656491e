"""One table moved by several lanes: the same rows, types, receipts and figures as by one, whatever happens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_gate import Gate
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_shares import Shares
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import CancelledRunError
from rapidbyte.model import StateSpec
from rapidbyte.state import open_state

_PARTS = "fixtures/pipelines/parts.yaml"
_ROWS = 12_000
_RECEIPT = (
    "SELECT row_count, byte_count, position, attempt, is_complete, is_finished FROM _rapidbyte.receipts "
    "WHERE target_schema = %s"
)

RunWith = Callable[..., rapidbyte.RunReport]


@pytest.fixture
def large(schemas: SchemaPair, seeded: Seed) -> tuple[TableName, TableName]:
    """The large table and where it goes."""
    seeded("fixtures/sql/large.sql")
    return TableName(schemas.source, "large"), TableName(schemas.destination, "large")


@pytest.fixture
def run_with(variables: Mapping[str, str], state_path: Path) -> RunWith:
    """Run a pipeline with a listener, by default that of the large table."""

    def run(
        listener: Callable[[rapidbyte.Event], None], /, *, template: str = _PARTS, **more: str
    ) -> rapidbyte.RunReport:
        return rapidbyte.run_pipeline(
            Path(template), env={**variables, **more}, state_path=state_path, on_event=listener
        )

    return run


@pytest.mark.parametrize("mode", ["append", "replace"])
@pytest.mark.parametrize(
    "lanes",
    [
        {"LANES": "1"},
        {"LANES": "2"},
        {"LANES": "3"},
        {"LANES": "auto"},
        {"PINNED": "2", "PARTITION_MODE": "mod", "FLUSH_BYTES": "64kb"},
        {"TUNE": "false"},
        {"LANES": "3", "PARTITION_KEY": "code", "COMPRESSION": "lz4"},
        {"LANES": "2", "LOAD_METHOD": "insert"},
    ],
    ids=lambda lanes: " ".join(lanes.values()),
)
def test_result_does_not_depend_on_how_many_move_it(
    session: psycopg.Connection,
    schemas: SchemaPair,
    large: tuple[TableName, TableName],
    run_pipeline: RunPipeline,
    shares: Shares,
    lanes: Mapping[str, str],
    mode: str,
) -> None:
    report = run_pipeline(_PARTS, WRITE_MODE=mode, **lanes)
    (stream,) = report.streams
    assert (stream.rows_read, stream.rows_written, stream.rows_rejected, stream.attempts) == (_ROWS, _ROWS, 0, 1)
    assert_same_table(session, *large)
    (size,) = session.execute(
        sql.SQL(
            "SELECT sum(2 + 5 * 4 + 4 + 32 + length(share::text) + length(span::text) "
            "+ coalesce(length(note), 0)) FROM {}"
        ).format(sql.Identifier(schemas.source, "large"))
    ).fetchone() or (None,)
    assert stream.bytes_read == size
    expected = [(_ROWS, size, None, 1, True, True)]
    assert session.execute(_RECEIPT, (schemas.destination,)).fetchall() == expected
    assert shares("parts", "large") == []


@pytest.fixture
def gate(large: tuple[TableName, TableName], make_gate: Callable[[str], Gate]) -> Gate:
    """A gate before the large table."""
    return make_gate(large[0].name)


def test_lanes_read_at_once(
    session: psycopg.Connection, large: tuple[TableName, TableName], gate: Gate, run_with: RunWith
) -> None:
    (stream,) = run_with(gate.opened_by(3), LANES="3").streams
    assert (stream.lanes, stream.attempts) == (3, 1)
    assert_same_table(session, *large)


def test_rows_that_change_meanwhile_are_read_once_as_they_were(
    session: psycopg.Connection, large: tuple[TableName, TableName], ask: Ask, gate: Gate, run_with: RunWith
) -> None:
    ask("CREATE TABLE {s}.before AS TABLE {s}.large")
    opened = gate.opened_by(3)
    gate.actions.append(lambda: ask("UPDATE {s}.large SET code = 'again'"))

    def listen(event: rapidbyte.Event) -> None:
        if isinstance(event, rapidbyte.StreamStarted):  # the first lane has seen the table, and the others have not
            ask("UPDATE {s}.large SET code = 'changed', id = -id")  # each row goes to another place
            ask("DELETE FROM {s}.large WHERE id % 3 = 0 AND gate IS NULL")
            ask("INSERT INTO {s}.large SELECT * FROM {s}.before WHERE gate IS NULL")
        opened(event)

    (stream,) = run_with(listen, LANES="3").streams
    assert (stream.rows_read, stream.lanes) == (_ROWS, 3)
    assert_same_table(session, TableName(large[0].schema, "before"), large[1])


def test_streams_of_a_run_see_one_snapshot(
    ask: Ask, seeded: Seed, make_gate: Callable[[str], Gate], run_with: RunWith
) -> None:
    seeded("fixtures/sql/two_tables.sql")
    gate = make_gate("second")
    ask("CREATE TABLE {s}.moved AS SELECT * FROM {s}.first WHERE id <= 1000")
    gate.actions += [
        lambda: ask("DELETE FROM {s}.first WHERE id <= 1000"),
        lambda: ask("INSERT INTO {s}.second SELECT id + 2000, at, label FROM {s}.moved"),
    ]
    report = run_with(gate.opened_by(1), template="fixtures/pipelines/two_tables.yaml", LANES="2")
    assert [(stream.rows_read, stream.rows_written) for stream in report.streams] == [(3000, 3000), (2000, 2000)]


@pytest.mark.parametrize("which", ["min", "max"])
def test_failure_of_one_lane_is_one_of_the_attempt_and_all_parts_are_moved_again(
    session: psycopg.Connection,
    large: tuple[TableName, TableName],
    gate: Gate,
    run_with: RunWith,
    shares: Shares,
    which: str,
) -> None:
    gate.actions.append(lambda: gate.end_one(which))
    (stream,) = run_with(gate.opened_by(3), LANES="3").streams
    assert (stream.rows_read, stream.rows_written, stream.attempts) == (_ROWS, _ROWS, 2)
    assert_same_table(session, *large)
    assert shares("parts", "large") == []


def test_run_that_is_cancelled_leaves_nothing(
    large: tuple[TableName, TableName],
    ask: Ask,
    gate: Gate,
    shares: Shares,
    variables: Mapping[str, str],
    state_path: Path,
) -> None:
    cancel = rapidbyte.Cancellation()
    gate.actions += [lambda: _require(len(shares("parts", "large")) == 1), cancel.cancel]
    with pytest.raises(CancelledRunError):
        rapidbyte.run_pipeline(
            Path(_PARTS),
            env={**variables, "LANES": "2"},
            state_path=state_path,
            on_event=gate.opened_by(2),
            cancel=cancel,
        )
    assert shares("parts", "large") == []
    assert ask("SELECT to_regclass(%s)::text", f'"{large[1].schema}".large') == [(None,)]


def _require(is_right: bool) -> None:
    assert is_right


def test_target_that_appears_meanwhile_is_added_to(
    large: tuple[TableName, TableName], ask: Ask, gate: Gate, run_with: RunWith
) -> None:
    gate.actions += [
        lambda: ask("CREATE SCHEMA {d}"),
        lambda: ask("CREATE TABLE {d}.large (LIKE {s}.large)"),
        lambda: ask("INSERT INTO {d}.large (id) VALUES (1)"),
    ]
    (stream,) = run_with(gate.opened_by(2), LANES="2").streams
    assert (stream.rows_written, stream.attempts) == (_ROWS, 2)
    assert ask("SELECT count(*), count(code) FROM {d}.large") == [(_ROWS + 1, _ROWS)]
    del large


def test_statement_that_waits_to_lock_the_table_stops_no_reader(
    session: psycopg.Connection,
    server: ServerAddress,
    large: tuple[TableName, TableName],
    ask: Ask,
    gate: Gate,
    run_with: RunWith,
) -> None:
    ask("CREATE TABLE {s}.before AS TABLE {s}.large")
    locking = threading.Thread(target=_rewrite, args=(server, large[0]))

    def wait_to_lock() -> None:
        locking.start()
        wait_until(lambda: _is_locked_out(session, large[0]), "the statement to wait for its lock")

    gate.actions.append(wait_to_lock)
    (stream,) = run_with(gate.opened_by(1), LANES="3").streams
    locking.join()
    assert (stream.rows_read, stream.attempts) == (_ROWS, 1)
    assert_same_table(session, TableName(large[0].schema, "before"), large[1])


def _rewrite(server: ServerAddress, table: TableName) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as session:
        session.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(table.schema, table.name)))


def _is_locked_out(session: psycopg.Connection, table: TableName) -> bool:
    name = sql.Identifier(table.schema, table.name).as_string()
    query = (
        "SELECT count(*) FROM pg_locks WHERE relation = %s::regclass AND mode = 'AccessExclusiveLock' AND NOT granted"
    )
    return session.execute(query, (name,)).fetchone() == (1,)


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


def test_user_who_may_make_no_table_on_the_way_writes_by_one_session(
    session: psycopg.Connection, large: tuple[TableName, TableName], user: Mapping[str, str], run_with: RunWith
) -> None:
    session.execute(
        sql.SQL("GRANT SELECT ON {} TO {}").format(
            sql.Identifier(large[0].schema, "large"), sql.Identifier(user["PGUSER"])
        )
    )
    events: list[rapidbyte.Event] = []
    (stream,) = run_with(events.append, LANES="3", **user).streams
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
    database: ServerAddress, variables: Mapping[str, str], run_with: RunWith, statement: str, obstacle: str | None
) -> None:
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        for schema in ("s", "d", "_rapidbyte"):
            session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        session.execute("CREATE TABLE s.large AS SELECT n, md5(n::text) FROM generate_series(1, 30000) AS n")
        session.execute(statement.encode())
        place = {"PGDATABASE": database.database, "SOURCE_SCHEMA": "s", "DESTINATION_SCHEMA": "d"}
        events: list[rapidbyte.Event] = []
        report = run_with(events.append, LANES="2", **{**variables, **place})
        assert report.rows_written == 30_000
        expected = [] if obstacle is None else [f"d.large is written by one session, since {obstacle}"]
        assert _lines(events) == expected
        assert_same_table(session, TableName("s", "large"), TableName("d", "large"))


def test_run_goes_on_with_fewer_lanes_where_another_cannot_connect(
    session: psycopg.Connection,
    large: tuple[TableName, TableName],
    gate: Gate,
    user: Mapping[str, str],
    run_with: RunWith,
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
    (stream,) = run_with(listen, LANES="2", **user).streams
    assert (stream.rows_written, stream.lanes, stream.attempts) == (_ROWS, 1, 1)
    assert said == [f'The run goes on with 1 at once: too many connections for role "{user["PGUSER"]}"']
    assert_same_table(session, *large)


def test_table_has_the_default_privileges_of_its_schema(
    large: tuple[TableName, TableName], ask: Ask, gate: Gate, run_with: RunWith
) -> None:
    ask("CREATE SCHEMA {d}")
    ask("ALTER DEFAULT PRIVILEGES IN SCHEMA {d} GRANT SELECT ON TABLES TO PUBLIC")
    ask("ALTER DEFAULT PRIVILEGES IN SCHEMA {d} GRANT INSERT ON TABLES TO CURRENT_USER WITH GRANT OPTION")
    ask("CREATE TABLE {d}.made (id int)")
    assert run_with(gate.opened_by(2), LANES="2").streams[0].lanes == 2
    acl = "SELECT ARRAY(SELECT unnest(relacl)::text ORDER BY 1), reloptions FROM pg_class WHERE oid = %s::regclass"
    made, moved = (ask(acl, f'"{large[1].schema}".{name}') for name in ("made", "large"))
    assert moved == made


@pytest.mark.parametrize(
    ("statements", "lanes"),
    [
        pytest.param(
            [
                "CREATE TABLE {s}.t (id int, note text) PARTITION BY LIST (id)",
                "CREATE TABLE {s}.t1 PARTITION OF {s}.t FOR VALUES IN (1)",
                "CREATE TABLE {s}.t2 PARTITION OF {s}.t FOR VALUES IN (2)",
                "CREATE TABLE {s}.t3 PARTITION OF {s}.t DEFAULT",
                "INSERT INTO {s}.t SELECT n % 3 + 1, repeat('x', 50) FROM generate_series(1, 50000) AS n",
            ],
            2,
            id="partitioned table",
        ),
        pytest.param(
            [
                "CREATE TABLE {s}.t (id int, note text)",
                "CREATE TABLE {s}.child () INHERITS ({s}.t)",
                "INSERT INTO {s}.t SELECT n, repeat('x', 50) FROM generate_series(1, 20000) AS n",
                "INSERT INTO {s}.child SELECT -n, repeat('y', 50) FROM generate_series(1, 20000) AS n",
            ],
            1,
            id="table with children",
        ),
        pytest.param(
            ["CREATE VIEW {s}.t AS SELECT n AS id, 'x' AS note FROM generate_series(1, 20000) AS n"], 1, id="view"
        ),
        pytest.param(
            [
                "CREATE MATERIALIZED VIEW {s}.t AS SELECT n AS id, repeat('x', 50) AS note "
                "FROM generate_series(1, 20000) AS n"
            ],
            2,
            id="materialized view",
        ),
    ],
)
def test_whatever_is_read_is_read_whole(
    session: psycopg.Connection,
    schemas: SchemaPair,
    ask: Ask,
    run_pipeline: RunPipeline,
    statements: list[str],
    lanes: int,
) -> None:
    for statement in statements:
        ask(statement)
    (stream,) = run_pipeline(_PARTS, STREAM="t", LANES="2").streams
    assert stream.lanes <= lanes
    assert stream.rows_written == ask("SELECT count(*) FROM {s}.t")[0][0]
    assert_same_table(session, TableName(schemas.source, "t"), TableName(schemas.destination, "t"))


@pytest.mark.parametrize(("policy", "kept"), [("skip", 0), ("dlq", 60)])
def test_rows_that_cannot_be_read_are_left_out_by_every_lane(
    large: tuple[TableName, TableName],
    ask: Ask,
    gate: Gate,
    run_with: RunWith,
    state_path: Path,
    policy: str,
    kept: int,
) -> None:
    ask("ALTER TABLE {s}.large ADD at timestamp")
    ask("UPDATE {s}.large SET at = '294247-01-10 04:00:54.775807' WHERE abs(id) % 200 = 7")
    (stream,) = run_with(gate.opened_by(2), LANES="2", ON_DATA_ERROR=policy).streams
    assert (stream.rows_read, stream.rows_written, stream.rows_rejected, stream.lanes) == (_ROWS, _ROWS - 60, 60, 2)
    good = ask("SELECT id, code FROM {s}.large WHERE abs(id) % 200 <> 7 ORDER BY id")
    assert ask("SELECT id, code FROM {d}.large ORDER BY id") == good
    assert ask(_RECEIPT, large[1].schema)[0][0] == _ROWS - 60
    with open_state(StateSpec(connection=str(state_path))) as state:
        assert len(state.dead_letters.list()) == kept


def test_large_table_has_several_lanes_by_itself(
    session: psycopg.Connection, schemas: SchemaPair, ask: Ask, run_pipeline: RunPipeline
) -> None:
    ask("CREATE TABLE {s}.t AS SELECT n AS id, repeat(md5(n::text), 50) AS note FROM generate_series(1, 25000) AS n")
    (stream,) = run_pipeline(_PARTS, STREAM="t").streams
    assert (stream.rows_written, stream.lanes) == (25_000, 2)
    assert_same_table(session, TableName(schemas.source, "t"), TableName(schemas.destination, "t"))
