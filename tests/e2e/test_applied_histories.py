"""Applied changes against their source: whatever is done to two tables, the next run leaves theirs equal."""

from __future__ import annotations

import json
from collections.abc import Mapping

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.fix_changes import Sql
from harness.fix_pipelines import RunPipeline
from harness.profiles import is_nightly
from harness.writers import CONTROL, STATEMENTS, TABLES, Writer

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/applied_changes.yaml"
_STREAMS = json.dumps([{"name": "leaf", "sync_mode": "cdc"}, {"name": "node", "sync_mode": "cdc"}])
_COMMON = ("insert", "insert", "note", "code", "move", "leaf", "hang", "run")
_STEPS = st.lists(
    st.tuples(st.sampled_from([*STATEMENTS, *_COMMON, *CONTROL, "run"]), st.integers(0, 4), st.integers(0, 4)),
    max_size=40,
)
_ROWS = {
    "node": "SELECT id, code, note, md5(big), md5(wide) FROM {}.node {} ORDER BY id",
    "leaf": "SELECT id, node, md5(big) FROM {}.leaf {} ORDER BY id",
}


@pytest.mark.parametrize("deletes", ["hard", "flag"])
def test_every_history_leaves_the_tables_equal(
    run_pipeline: RunPipeline,
    run_sql: Sql,
    changes_session: psycopg.Connection,
    changes_variables: Mapping[str, str],
    deletes: str,
) -> None:
    run_sql("CREATE SCHEMA lake")
    run_sql(TABLES.format("public", "UNIQUE"))
    if deletes == "hard":  # with flagged rows, neither unique values nor references could be as at the source
        run_sql(TABLES.format("lake", "UNIQUE"))
    variables = {**changes_variables, "STREAMS": _STREAMS, "DELETES": deletes}
    live = "" if deletes == "hard" else "WHERE NOT _rb_deleted"

    def sync() -> None:
        run_pipeline(_PIPELINE, **variables)
        for rows in _ROWS.values():
            assert run_sql(rows.format("lake", live)) == run_sql(rows.format("public", ""))

    @settings(max_examples=300 if is_nightly() else 12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_STEPS)
    def check(steps: list[tuple[str, int, int]]) -> None:
        session = Writer(changes_session)
        session.control("rollback")
        run_sql("TRUNCATE node, leaf")
        for kind, first, second in [*steps, ("run", 0, 0)]:
            if kind == "run":
                session.control("commit")
                sync()
            elif kind in STATEMENTS:
                session.change(STATEMENTS[kind], first, second)
            else:
                session.control(kind)

    check()
