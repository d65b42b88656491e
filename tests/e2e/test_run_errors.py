"""Runs that cannot work: each ends as the right error, says what to do, and leaves the destination as it was."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.names import SchemaPair
from harness.waiting import wait_until
from rapidbyte.errors import (
    AuthError,
    ConfigError,
    ConnectorNotFoundError,
    DataError,
    DocumentError,
    NetworkError,
    RapidbyteError,
    SchemaError,
)


@pytest.fixture(autouse=True)
def unchanged(session: psycopg.Connection, schemas: SchemaPair, seeded: Seed) -> Iterator[None]:
    """Seed a source, and check at the end that no destination was made."""
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    yield
    found = session.execute("SELECT count(*) FROM pg_namespace WHERE nspname = %s", (schemas.destination,)).fetchone()
    assert found == (0,)


def test_wrong_password_is_an_auth_error_without_the_password(run_pipeline: RunPipeline) -> None:
    with pytest.raises(AuthError) as caught:
        run_pipeline("fixtures/pipelines/full_refresh.yaml", PGPASSWORD="gEheim-7")
    assert caught.value.code == "28P01"
    assert not caught.value.retryable
    assert "gEheim-7" not in str(caught.value)


def test_missing_table_is_named(run_pipeline: RunPipeline) -> None:
    with pytest.raises(SchemaError, match="no_such_table") as caught:
        run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="no_such_table")
    assert caught.value.code == "table_not_found"


def test_refused_port_names_host_and_port(run_pipeline: RunPipeline) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = unused.getsockname()[1]
        with pytest.raises(NetworkError, match=rf"^No connection to 127\.0\.0\.1:{port}: "):
            run_pipeline(
                "fixtures/pipelines/impatient.yaml", STREAM="users", SOURCE_HOST="127.0.0.1", SOURCE_PORT=str(port)
            )


def test_missing_database_is_an_error_of_the_configuration(run_pipeline: RunPipeline) -> None:
    with pytest.raises(RapidbyteError, match="no_such_database") as caught:
        run_pipeline("fixtures/pipelines/full_refresh.yaml", PGDATABASE="no_such_database")
    assert caught.value.code == "3D000"


def test_missing_connector_is_named(run_pipeline: RunPipeline) -> None:
    with pytest.raises(ConnectorNotFoundError, match="oracle"):
        run_pipeline("fixtures/pipelines/unknown_connector.yaml")


def test_all_typos_are_reported_together_with_their_lines(run_pipeline: RunPipeline) -> None:
    with pytest.raises(DocumentError) as caught:
        run_pipeline("fixtures/pipelines/typo.yaml")
    assert [(problem.path, problem.line) for problem in caught.value.problems] == [
        ("source.streams", 3),
        ("source.streems", 12),
        ("destination.write_mode", 17),
    ]


def test_failure_in_the_middle_of_a_stream_leaves_no_rows_and_no_session(
    session: psycopg.Connection, schemas: SchemaPair, run_pipeline: RunPipeline, role: Role
) -> None:
    view = sql.SQL("CREATE VIEW {} AS SELECT n AS id, 1 / (50000 - n) AS broken FROM generate_series(1, 60000) AS n")
    session.execute(view.format(sql.Identifier(schemas.source, "breaks")))
    with pytest.raises(DataError, match="division by zero") as caught:
        run_pipeline("fixtures/pipelines/one_table.yaml", STREAM="breaks", **role.variables)
    assert caught.value.code == "22012"
    # The server needs a moment to notice that the destination's session was cut.
    wait_until(lambda: role.running() == [], "the sessions of the failed run to go")


def test_two_streams_that_would_share_a_table_are_refused(
    variables: Mapping[str, str], schemas: SchemaPair, state_path: Path
) -> None:
    server: dict[str, object] = {
        "host": variables["PGHOST"],
        "port": int(variables["PGPORT"]),
        "database": variables["PGDATABASE"],
    }
    server |= {"user": variables["PGUSER"], "password": variables["PGPASSWORD"]}
    streams = [{"name": name, "sync_mode": "full_refresh"} for name in ("users", f"{schemas.source}.users")]
    document = {
        "version": "1.0",
        "pipeline": "twice",
        "source": {"use": "postgres", "config": {**server, "schema": schemas.source}, "streams": streams},
        "destination": {
            "use": "postgres",
            "config": {**server, "schema": schemas.destination},
            "write_mode": "append",
        },
    }
    with pytest.raises(ConfigError, match=rf"users and {schemas.source}\.users would both write") as caught:
        rapidbyte.run_pipeline(document, state_path=state_path)
    assert caught.value.code == "target_twice"
