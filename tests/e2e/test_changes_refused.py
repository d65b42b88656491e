"""What changes ask of a server: `check` tells what is missing, with its remedy, before anything is made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

import rapidbyte
from harness.fix_changes import Sql
from harness.seeds import seed
from harness.shared_server import SETTINGS
from rapidbyte.embedded import EmbeddedPostgres, ServerAddress
from rapidbyte.errors import RapidbyteError

SEED = "fixtures/sql/changes.sql"
_PIPELINE = Path("fixtures/pipelines/changes.yaml")

Refused = Callable[..., RapidbyteError]


@pytest.fixture
def refused(changes_variables: Mapping[str, str], tmp_path: Path) -> Refused:
    """Check the pipeline of changes, with more keys in its source's config, and return why it is refused."""

    def check(variables: Mapping[str, str] = changes_variables, **config: str) -> RapidbyteError:
        named = tmp_path / "named.yaml"
        keys = "".join(f"    {key}: {value}\n" for key, value in config.items())
        named.write_text(_PIPELINE.read_text().replace("  config:\n", f"  config:\n{keys}", 1))
        with pytest.raises(RapidbyteError) as failed:
            rapidbyte.check_pipeline(named, env=variables)
        return failed.value

    return check


@pytest.fixture
def slot_name(run_sql: Sql) -> Iterator[str]:
    """The name of a slot, which is dropped if the test makes it."""
    name = f"of_one_test_{secrets.token_hex(4)}"
    yield name
    run_sql("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", name)


@pytest.fixture
def no_free_slots(run_sql: Sql) -> Iterator[int]:
    """Take all slots of the server but one, and tell how many it has."""
    ((most, used),) = run_sql(
        "SELECT current_setting('max_replication_slots')::int, count(*)::int FROM pg_replication_slots"
    )
    prefix = f"taken_{secrets.token_hex(4)}_"
    run_sql(
        "SELECT pg_create_physical_replication_slot(%s || n) FROM generate_series(1, %s) AS n", prefix, most - used - 1
    )
    yield most
    run_sql(
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE starts_with(slot_name, %s)", prefix
    )


def test_server_whose_log_has_no_changes_is_told(refused: Refused, changes_variables: Mapping[str, str]) -> None:
    with EmbeddedPostgres.start(settings={**SETTINGS, "wal_level": "replica"}) as server:
        with psycopg.connect(server.address.dsn(), autocommit=True) as session:
            seed(session, "public", "fixtures/sql/changes.sql")
        error = refused(
            {
                **changes_variables,
                "PGHOST": server.address.host,
                "PGPORT": str(server.address.port),
                "PGUSER": server.address.user,
                "PGPASSWORD": server.address.password,
                "CHANGES_DATABASE": server.address.database,
            }
        )
    assert error.info.code == "wal_level"
    assert "ALTER SYSTEM SET wal_level = 'logical', and restart the server" in str(error)


def test_user_without_replication_is_told(refused: Refused, changes_variables: Mapping[str, str], run_sql: Sql) -> None:
    name = f"role_{secrets.token_hex(4)}"
    run_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'of-one-test'")
    try:
        error = refused({**changes_variables, "PGUSER": name, "PGPASSWORD": "of-one-test"})
    finally:
        run_sql(f"DROP ROLE {name}")
    assert error.info.code == "no_replication"
    assert f"ALTER ROLE {name} REPLICATION" in str(error)


def test_server_without_slots_to_spare_is_told(refused: Refused, no_free_slots: int) -> None:
    error = refused()
    assert error.info.code == "no_slot_left"
    assert f"{no_free_slots - 1} of {no_free_slots} are taken; raise max_replication_slots" in str(error)


@pytest.mark.parametrize(
    ("of", "code", "remedy"),
    [
        pytest.param(
            "FOR TABLE orders WITH (publish_via_partition_root = true)",
            "publication_lacks_table",
            'ADD TABLE "public"."items"',
            id="lacks a table",
        ),
        pytest.param(
            "FOR TABLE orders, items WITH (publish = 'insert', publish_via_partition_root = true)",
            "publication_partial",
            "SET (publish = 'insert, update, delete, truncate')",
            id="sends only some changes",
        ),
        pytest.param(
            "FOR TABLE orders, items WITH (publish_via_partition_root = false)",
            "publication_partial",
            "SET (publish_via_partition_root = true)",
            id="sends partitions apart",
        ),
        pytest.param(
            "FOR TABLE items, orders WHERE (id > 1) WITH (publish_via_partition_root = true)",
            "publication_partial",
            "sends only rows of public.orders with (id > 1)",
            id="sends only some rows",
        ),
        pytest.param(
            "FOR TABLE items, orders (id, note) WITH (publish_via_partition_root = true)",
            "publication_partial",
            "does not send column total of public.orders",
            id="sends only some columns",
        ),
    ],
)
def test_publication_that_does_not_send_everything_is_told(
    refused: Refused, run_sql: Sql, of: str, code: str, remedy: str
) -> None:
    run_sql(f"CREATE PUBLICATION by_hand {of}")
    error = refused(publication="by_hand")
    assert error.info.code == code
    assert remedy in str(error)


def test_slot_of_another_plugin_is_told(refused: Refused, run_sql: Sql, slot_name: str) -> None:
    run_sql("SELECT pg_create_physical_replication_slot(%s)", slot_name)
    error = refused(replication_slot=slot_name)
    assert error.info.code == "slot_of_others"
    assert f"Slot {slot_name} is not one of pgoutput in this database" in str(error)


def test_slot_of_another_database_is_told(refused: Refused, quiet_server: ServerAddress, slot_name: str) -> None:
    elsewhere = replace(quiet_server, database="postgres")
    with psycopg.connect(elsewhere.dsn(), autocommit=True) as session:
        session.execute("SELECT pg_create_logical_replication_slot(%s, 'pgoutput')", (slot_name,))
        error = refused(replication_slot=slot_name)
    assert error.info.code == "slot_of_others"
