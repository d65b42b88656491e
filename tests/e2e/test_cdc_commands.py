"""`rapidbyte cdc`: what the source keeps for a pipeline is shown, and only what was made for it is dropped."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus

from harness.cli import Cli, Ended
from harness.evidence import Evidence
from harness.fix_changes import Sql
from harness.waiting import wait_until
from rapidbyte.embedded import ServerAddress

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/changes.yaml"
_SLOT = "SELECT slot_name FROM pg_replication_slots WHERE database = current_database()"
_PUBLICATION = "SELECT pubname FROM pg_publication"


@pytest.fixture
def changes_cli(changes_variables: Mapping[str, str], tmp_path: Path, evidence: Evidence) -> Cli:
    """The `rapidbyte` command, with the variables of the pipelines of changes."""
    return Cli(changes_variables, tmp_path, evidence)


def _holdings(ended: Ended) -> list[dict[str, Any]]:
    assert ended.code == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)["holdings"]
    return found


def test_nothing_is_kept_before_the_first_run(changes_cli: Cli) -> None:
    assert _holdings(changes_cli.run("cdc", "status", _PIPELINE, "--json")) == []
    ended = changes_cli.run("cdc", "drop", _PIPELINE, "--yes")
    assert (ended.code, ended.stdout) == (0, "")
    assert ended.stderr == "The source keeps nothing for this pipeline.\n"


def test_status_tells_how_far_behind_the_slot_is(changes_cli: Cli, run_sql: Sql) -> None:
    assert changes_cli.run("run", _PIPELINE, "-q").code == 0
    ((name, confirmed),) = run_sql("SELECT slot_name, confirmed_flush_lsn::text FROM pg_replication_slots")
    before = _holdings(changes_cli.run("cdc", "status", _PIPELINE, "--json"))
    run_sql("INSERT INTO items SELECT 'sku-' || n, n FROM generate_series(1, 1000) AS n")
    slot, publication = _holdings(changes_cli.run("cdc", "status", _PIPELINE, "--json"))
    assert (slot["kind"], slot["name"], slot["is_ours"], slot["is_dropped"]) == ("replication slot", name, True, False)
    details = slot["details"]
    assert (details["is_active"], details["process"], details["wal_status"]) == (False, None, "reserved")
    assert (details["confirmed_lsn"], details["safe_wal_size"]) == (confirmed, None)
    assert details["behind_bytes"] - before[0]["details"]["behind_bytes"] > 50_000
    assert details["kept_bytes"] >= details["behind_bytes"]
    assert (publication["kind"], publication["name"], publication["is_ours"]) == ("publication", name, True)
    assert publication["details"]["tables"] == "public.items, public.orders"
    shown = changes_cli.run("cdc", "status", _PIPELINE).stdout
    assert shown.startswith(f"replication slot {name} (made for this pipeline)\n")
    assert f"\n\npublication {name} (made for this pipeline)\n" in shown


def test_drop_asks_for_yes_and_then_leaves_nothing(changes_cli: Cli, run_sql: Sql) -> None:
    assert changes_cli.run("run", _PIPELINE, "-q").code == 0
    asked = changes_cli.run("cdc", "drop", _PIPELINE)
    assert (asked.code, asked.stdout.count("to drop: ")) == (2, 2)
    assert "repeat with --yes" in asked.stderr
    assert (len(run_sql(_SLOT)), len(run_sql(_PUBLICATION))) == (1, 1)
    dropped = changes_cli.run("cdc", "drop", _PIPELINE, "--yes")
    assert (dropped.code, dropped.stdout.count("dropped: ")) == (0, 2)
    assert "drop its tables there" in dropped.stdout
    assert (run_sql(_SLOT), run_sql(_PUBLICATION)) == ([], [])
    again = changes_cli.run("run", _PIPELINE, "-q")
    assert again.code == 4
    assert "so that it is copied anew" in again.stderr


def test_slot_that_is_read_from_is_not_dropped(changes_cli: Cli, run_sql: Sql, changes_database: ServerAddress) -> None:
    assert changes_cli.run("run", _PIPELINE, "-q").code == 0
    ((name,),) = run_sql(_SLOT)
    start = f"START_REPLICATION SLOT {name} LOGICAL 0/0 (proto_version '1', publication_names '{name}')"
    with closing(psycopg.connect(changes_database.dsn(), autocommit=True, replication="database")) as reader:
        assert reader.pgconn.exec_(start.encode()).status == ExecStatus.COPY_BOTH
        slot, _ = _holdings(changes_cli.run("cdc", "status", _PIPELINE, "--json"))
        assert (slot["details"]["is_active"], slot["details"]["process"]) == (True, reader.info.backend_pid)
        refused = changes_cli.run("cdc", "drop", _PIPELINE, "--yes")
    wait_until(lambda: run_sql("SELECT bool_or(active) FROM pg_replication_slots") == [(False,)], "the slot is free")
    assert (refused.code, refused.stdout) == (3, "")
    assert "nothing was dropped; end the run that reads from it" in refused.stderr
    assert (len(run_sql(_SLOT)), len(run_sql(_PUBLICATION))) == (1, 1)


def test_what_the_config_names_is_never_dropped(changes_cli: Cli, run_sql: Sql, tmp_path: Path) -> None:
    run_sql("CREATE PUBLICATION by_hand FOR TABLE orders, items WITH (publish_via_partition_root = true)")
    name = f"of_others_{secrets.token_hex(4)}"
    named = tmp_path / "named.yaml"
    config = f"  config:\n    replication_slot: {name}\n    publication: by_hand\n"
    named.write_text(Path(_PIPELINE).read_text().replace("  config:\n", config, 1))
    assert changes_cli.run("run", str(named), "-q").code == 0
    found = _holdings(changes_cli.run("cdc", "drop", str(named), "--yes", "--json"))
    assert [(held["name"], held["is_ours"], held["is_dropped"]) for held in found] == [
        (name, False, False),
        ("by_hand", False, False),
    ]
    assert (run_sql(_SLOT), run_sql(_PUBLICATION)) == ([(name,)], [("by_hand",)])


def test_publication_that_somebody_else_made_stays(changes_cli: Cli, run_sql: Sql) -> None:
    assert changes_cli.run("run", _PIPELINE, "-q").code == 0
    role = f"role_{secrets.token_hex(4)}"
    run_sql(f"CREATE ROLE {role} SUPERUSER")
    ((name,),) = run_sql(_PUBLICATION)
    run_sql(f"ALTER PUBLICATION {name} OWNER TO {role}")
    dropped = changes_cli.run("cdc", "drop", _PIPELINE, "--yes")
    assert (dropped.code, dropped.stdout.count("dropped: "), dropped.stdout.count("kept: ")) == (0, 1, 1)
    assert (run_sql(_SLOT), run_sql(_PUBLICATION)) == ([], [(name,)])
    run_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
