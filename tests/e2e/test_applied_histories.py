"""Applied changes against their source: whatever is done to two tables, the next run leaves theirs equal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.fix_changes import Sql
from harness.fix_pipelines import RunPipeline
from harness.profiles import is_nightly

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/applied_changes.yaml"
_STREAMS = json.dumps([{"name": "leaf", "sync_mode": "cdc"}, {"name": "node", "sync_mode": "cdc"}])
_TABLES = """
    CREATE TABLE {0}.node (id int PRIMARY KEY, code text {1}, note text, big text, wide text);
    ALTER TABLE {0}.node ALTER big SET STORAGE EXTERNAL, ALTER wide SET STORAGE EXTERNAL;
    CREATE TABLE {0}.leaf (
        id int PRIMARY KEY, node int REFERENCES {0}.node ON DELETE CASCADE ON UPDATE CASCADE, big text
    );
    ALTER TABLE {0}.leaf ALTER big SET STORAGE EXTERNAL;
"""
# What is done to rows `a` and `b`; `c` tells one change from another.
_STATEMENTS = {
    "insert": "INSERT INTO node VALUES ({a}, '{b}', 'n{c}', repeat('{c} ', 2000), repeat('-{c}', 2000))",
    "note": "UPDATE node SET note = 'n{c}' WHERE id = {a}",
    "all": "UPDATE node SET note = note || '{c}'",
    "big": "UPDATE node SET big = repeat('{c} ', 2000) WHERE id = {a}",
    "wide": "UPDATE node SET wide = NULLIF(repeat('-{c}', 2000 * ({b} % 2)), '') WHERE id = {a}",
    "code": "UPDATE node SET code = NULLIF('{b}', '0') WHERE id = {a}",
    "move": "UPDATE node SET id = {b} WHERE id = {a}",
    "move and note": "UPDATE node SET id = {b}, note = 'n{c}' WHERE id = {a}",
    "swap": "UPDATE node SET id = -1 WHERE id = {a}; UPDATE node SET id = {a} WHERE id = {b}; "
    "UPDATE node SET id = {b} WHERE id = -1",
    "delete": "DELETE FROM node WHERE id = {a}",
    "truncate": "TRUNCATE node CASCADE",
    "leaf": "INSERT INTO leaf VALUES ({a}, {b}, repeat('{c} ', 2000))",
    "hang": "UPDATE leaf SET node = NULLIF({b}, 0) WHERE id = {a}",
    "leaf moves": "UPDATE leaf SET id = {b} WHERE id = {a}",
    "leaf goes": "DELETE FROM leaf WHERE id = {a}",
    "leaves go": "TRUNCATE leaf",
}
_COMMON = ("insert", "insert", "note", "code", "move", "leaf", "hang", "run")
_CONTROL = ("begin", "commit", "rollback", "savepoint", "back", "run")
_STEPS = st.lists(
    st.tuples(st.sampled_from([*_STATEMENTS, *_COMMON, *_CONTROL]), st.integers(0, 4), st.integers(0, 4)), max_size=40
)
_ROWS = {
    "node": "SELECT id, code, note, md5(big), md5(wide) FROM {}.node {} ORDER BY id",
    "leaf": "SELECT id, node, md5(big) FROM {}.leaf {} ORDER BY id",
}


@dataclass
class Writer:
    """A session that writes; what the database does not take of it leaves nothing."""

    session: psycopg.Connection
    step: int = 0
    has_savepoint: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether a transaction is open."""
        return self.session.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE

    def control(self, kind: str) -> None:
        """Begin and end transactions, as far as that can be done now."""
        if kind == "begin" and not self.is_inside:
            self.session.execute("BEGIN")
            self.has_savepoint = False
        elif kind in ("commit", "rollback") and self.is_inside:
            self.session.execute("COMMIT" if kind == "commit" else "ROLLBACK")
        elif kind == "savepoint" and self.is_inside:
            self.session.execute("SAVEPOINT kept")
            self.has_savepoint = True
        elif kind == "back" and self.is_inside and self.has_savepoint:
            self.session.execute("ROLLBACK TO SAVEPOINT kept")

    def change(self, kind: str, first: int, second: int) -> None:
        """Change rows, all or none."""
        self.step += 1
        statement = _STATEMENTS[kind].format(a=first, b=second, c=self.step)
        with_care = f"SAVEPOINT change; {statement}; RELEASE SAVEPOINT change" if self.is_inside else statement
        try:
            self.session.execute(with_care.encode())
        except psycopg.IntegrityError:
            if self.is_inside:
                self.session.execute("ROLLBACK TO SAVEPOINT change")


@pytest.mark.parametrize("deletes", ["hard", "flag"])
def test_every_history_leaves_the_tables_equal(
    run_pipeline: RunPipeline,
    run_sql: Sql,
    changes_session: psycopg.Connection,
    changes_variables: Mapping[str, str],
    deletes: str,
) -> None:
    run_sql("CREATE SCHEMA lake")
    run_sql(_TABLES.format("public", "UNIQUE"))
    if deletes == "hard":  # with flagged rows, neither unique values nor references could be as at the source
        run_sql(_TABLES.format("lake", "UNIQUE"))
    writer = {"WRITER": changes_variables["PGUSER"], "WRITER_PASSWORD": changes_variables["PGPASSWORD"]}
    variables = {**changes_variables, **writer, "STREAMS": _STREAMS, "DELETES": deletes}
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
            elif kind in _STATEMENTS:
                session.change(kind, first, second)
            else:
                session.control(kind)

    check()
