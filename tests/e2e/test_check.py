"""What a check verifies besides what a run would meet first: every stream, and the state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

import rapidbyte
from harness.fix_role import Role
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from harness.names import SchemaPair
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import ConfigError, SchemaError, StateDeniedError, StateError, StateUnreachableError

_LISTED = "fixtures/pipelines/listed_streams.yaml"
_MODES = "fixtures/pipelines/modes.yaml"
_STREAM = "{{name: {}, sync_mode: full_refresh}}"


def _streams(*names: str) -> str:
    return f"[{', '.join(_STREAM.format(name) for name in names)}]"


def test_problems_of_all_streams_are_told_at_once(
    schemas: SchemaPair, seeded: Seed, ask: Ask, variables: Mapping[str, str]
) -> None:
    seeded("fixtures/sql/users.sql")
    ask("CREATE TABLE {s}.keyless (id int)")
    streams = _streams("gone", "users", "keyless")
    with pytest.raises(SchemaError) as caught:
        rapidbyte.check_pipeline(Path(_LISTED), env={**variables, "STREAMS": streams, "WRITE_MODE": "upsert"})
    assert caught.value.code == "table_not_found"
    assert caught.value.message.splitlines() == [
        "There are 2 problems.",
        f"gone: Table gone does not exist in the source; schema {schemas.source} has keyless, users.",
        "keyless: Stream keyless has no primary key, and upsert needs one; name its columns with `primary_key`, or use "
        "append or replace.",
    ]


def test_streams_that_only_together_do_not_fit_are_refused(
    schemas: SchemaPair, seeded: Seed, variables: Mapping[str, str]
) -> None:
    seeded("fixtures/sql/users.sql")
    streams = _streams("users", f"{schemas.source}.users")
    with pytest.raises(ConfigError) as caught:
        rapidbyte.check_pipeline(Path(_LISTED), env={**variables, "STREAMS": streams, "WRITE_MODE": "append"})
    assert caught.value.code == "target_twice"


def test_streams_that_do_not_fit_together_are_told_with_those_that_are_wrong_by_themselves(
    schemas: SchemaPair, seeded: Seed, variables: Mapping[str, str]
) -> None:
    seeded("fixtures/sql/users.sql")
    streams = _streams("users", "gone", f"{schemas.source}.users")
    with pytest.raises(SchemaError) as caught:
        rapidbyte.check_pipeline(Path(_LISTED), env={**variables, "STREAMS": streams, "WRITE_MODE": "append"})
    assert caught.value.code == "table_not_found"
    assert caught.value.message.splitlines() == [
        "There are 2 problems.",
        f"gone: Table gone does not exist in the source; schema {schemas.source} has users.",
        f"streams: Streams users and {schemas.source}.users would both write {schemas.destination}.users; move them by "
        "pipelines of their own, each with another destination.config.schema.",
    ]


def test_state_file_that_cannot_be_written_is_told_with_the_streams(
    seeded: Seed, variables: Mapping[str, str], tmp_path: Path
) -> None:
    seeded("fixtures/sql/users.sql")
    (tmp_path / "file").touch()
    chosen = {"STREAM": "gone", "STATE_PATH": str(tmp_path / "file" / "state.db")}
    with pytest.raises(StateError) as alone:
        rapidbyte.check_pipeline(Path(_MODES), env={**variables, **chosen, "STREAM": "users"})
    assert alone.value.code == "state_unwritable"
    with pytest.raises(ConfigError) as both:
        rapidbyte.check_pipeline(Path(_MODES), env={**variables, **chosen})
    assert both.value.code == "state_unwritable"
    begins = [line.partition(" ")[0] for line in both.value.message.splitlines()]
    assert begins == ["There", "state:", "gone:"]


def test_state_that_lets_nobody_in_is_told(
    seeded: Seed, variables: Mapping[str, str], database: ServerAddress, role: Role, ask: Ask, tmp_path: Path
) -> None:
    seeded("fixtures/sql/users.sql", "fixtures/sql/orders.sql")
    ask(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(sql.Identifier(role.name)).as_string())
    document = tmp_path / "pipeline.yaml"
    template = Path("fixtures/pipelines/full_refresh.yaml").read_text(encoding="utf-8")
    document.write_text(template + "state: {backend: postgres, connection: '${STATE_DSN}'}\n", encoding="utf-8")
    user = replace(database, user=role.name, password=role.variables["PGPASSWORD"])
    nobody = replace(database, port=1)
    for address, expected in ((user, StateDeniedError), (nobody, StateUnreachableError)):
        with pytest.raises(expected):
            rapidbyte.check_pipeline(document, env={**variables, "STATE_DSN": address.dsn()})
    report = rapidbyte.check_pipeline(document, env={**variables, "STATE_DSN": database.dsn()})
    assert (report.is_ok, report.checks[0].subject, report.checks[0].name) == (True, "state", "store")
