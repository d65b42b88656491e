"""A stream is never written to the table that it is read from, by whatever names the two sides call it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import ConfigError

_MODES = "fixtures/pipelines/modes.yaml"


@pytest.mark.parametrize("mode", ["append", "replace", "upsert"])
def test_table_is_not_written_to_itself_which_check_and_run_tell(
    schemas: SchemaPair,
    seeded: Seed,
    ask: Ask,
    run_pipeline: RunPipeline,
    variables: Mapping[str, str],
    server: ServerAddress,
    mode: str,
) -> None:
    seeded("fixtures/sql/users.sql")
    before = ask("SELECT * FROM {s}.users ORDER BY id")
    another_name = "localhost" if server.host == "127.0.0.1" else server.host
    chosen = {
        "STREAM": "users",
        "WRITE_MODE": mode,
        "DESTINATION_SCHEMA": schemas.source,
        "DESTINATION_HOST": another_name,
    }
    for call in (
        lambda: run_pipeline(_MODES, **chosen),
        lambda: rapidbyte.check_pipeline(Path(_MODES), env={**variables, **chosen}),
    ):
        with pytest.raises(ConfigError) as caught:
            call()
        assert (caught.value.code, caught.value.message) == (
            "target_is_source",
            f"{schemas.source}.users is the table that stream users is read from; set destination.config.schema, or "
            "another database, so that it is written to a table of its own.",
        )
    assert ask("SELECT * FROM {s}.users ORDER BY id") == before


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("CREATE TABLE {s}.t (id int) PARTITION BY LIST (id)", "CREATE TABLE {d}.t PARTITION OF {s}.t DEFAULT"),
        ("CREATE TABLE {s}.t (id int)", "CREATE TABLE {d}.t () INHERITS ({s}.t)"),
    ],
    ids=["partition", "child"],
)
def test_part_of_the_source_is_not_its_target(
    schemas: SchemaPair, ask: Ask, run_pipeline: RunPipeline, source: str, destination: str
) -> None:
    for statement in (source, "CREATE SCHEMA {d}", destination):
        ask(statement)
    with pytest.raises(ConfigError, match=f"{schemas.destination}.t is a part of the table, or has") as caught:
        run_pipeline(_MODES, STREAM="t")
    assert caught.value.code == "target_is_source"


def test_whole_of_which_the_source_is_a_part_is_not_its_target(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int) PARTITION BY LIST (id)")
    ask("CREATE TABLE {s}.t PARTITION OF {d}.t DEFAULT")
    with pytest.raises(ConfigError) as caught:
        run_pipeline(_MODES, STREAM="t", WRITE_MODE="replace")
    assert caught.value.code == "target_is_source"


def test_user_without_privileges_of_the_server_is_told_too(
    database: ServerAddress, role: Role, run_pipeline: RunPipeline
) -> None:
    user = sql.Identifier(role.name)
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        for statement in (
            "CREATE TABLE public.t (id int)",
            "ALTER ROLE {} NOSUPERUSER",
            "GRANT ALL ON public.t TO {}",
            "GRANT CREATE ON DATABASE {database} TO {}",
        ):
            session.execute(sql.SQL(statement).format(user, database=sql.Identifier(database.database)))
        place = {"PGDATABASE": database.database, "DESTINATION_DATABASE": database.database}
        schemas = {"SOURCE_SCHEMA": "public", "DESTINATION_SCHEMA": "public"}
        with pytest.raises(ConfigError) as caught:
            run_pipeline(_MODES, STREAM="t", **place, **schemas, **role.variables)
        session.execute(sql.SQL("DROP OWNED BY {}").format(user))
    assert caught.value.code == "target_is_source"


def test_tables_of_one_name_in_two_databases_are_two(
    ask: Ask, seeded: Seed, schemas: SchemaPair, database: ServerAddress, run_pipeline: RunPipeline
) -> None:
    seeded("fixtures/sql/users.sql")
    report = run_pipeline(
        _MODES, STREAM="users", DESTINATION_DATABASE=database.database, DESTINATION_SCHEMA=schemas.source
    )
    assert report.rows_written == 3
    assert ask("SELECT count(*) FROM {s}.users") == [(3,)]
