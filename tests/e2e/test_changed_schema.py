"""Columns that change between the changes of a table follow the policies there, without an end of the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cli import Cli, Command, finish
from harness.evidence import Evidence
from harness.fix_changes import Sql
from harness.fix_kills import KillRun
from harness.fix_pipelines import RunPipeline
from harness.kill_points import WHERE_COLUMNS_CHANGE
from harness.waiting import wait_until

SEED = "fixtures/sql/changes.sql"
_PIPELINE = "fixtures/pipelines/changed_schema.yaml"

Move = Callable[..., None]


@pytest.fixture
def variables(changes_variables: Mapping[str, str]) -> Mapping[str, str]:
    """What the pipeline refers to, where a test says nothing else."""
    return changes_variables


@contextmanager
def _tail(cli: Cli) -> Iterator[Command]:
    with cli.start("run", _PIPELINE, "-q") as process:
        try:
            yield process
        finally:
            process.kill()


def _wait(run_sql: Sql, condition: str) -> None:
    def is_met() -> bool:
        if run_sql("SELECT to_regclass('lake.orders') IS NULL") == [(True,)]:
            return False
        return run_sql(f"SELECT EXISTS (SELECT FROM lake.orders AS t WHERE {condition})") == [(True,)]

    wait_until(is_met, condition)


@pytest.fixture(params=["catchup", "tail"])
def move(
    request: pytest.FixtureRequest,
    run_sql: Sql,
    run_pipeline: RunPipeline,
    variables: Mapping[str, str],
    tmp_path: Path,
    evidence: Evidence,
) -> Move:
    """Copy the table, let statements happen, and have all of them moved: by another run, or by the one that goes on."""

    def run(*statements: str, **more: str) -> None:
        if request.param == "catchup":
            run_pipeline(_PIPELINE, **variables, **more)
            for statement in statements:
                run_sql(statement)
            run_pipeline(_PIPELINE, **variables, **more)
            return
        with _tail(Cli({**variables, **more, "CDC_MODE": "tail"}, tmp_path, evidence)) as process:
            _wait(run_sql, "id = 2")
            for statement in statements:
                run_sql(statement)
            run_sql("INSERT INTO orders (id) VALUES (99)")
            _wait(run_sql, "id = 99")
            process.terminate()
            ended = finish(process)
            assert ended.code == 0, ended.stderr
        run_sql("DELETE FROM lake.orders WHERE id = 99")

    return run


_HISTORY = (
    "INSERT INTO orders (id, note) VALUES (10, 'before')",
    "ALTER TABLE orders ADD colour text",
    "INSERT INTO orders (id, note, colour) VALUES (11, 'with', 'red')",
    "BEGIN; INSERT INTO orders (id, note) VALUES (12, 'inside'); ALTER TABLE orders DROP note; "
    "INSERT INTO orders (id, colour) VALUES (13, 'blue'); COMMIT",
)
_AFTER = "SELECT id, note, colour FROM lake.orders WHERE id >= 10 ORDER BY id"
_ROWS_AFTER = [(10, "before", None), (11, "with", "red"), (12, "inside", None), (13, None, "blue")]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_columns_come_and_go_where_the_changes_do(move: Move, run_sql: Sql, mode: str) -> None:
    move(*_HISTORY, WRITE_MODE=mode)
    assert run_sql(_AFTER) == _ROWS_AFTER


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_renamed_column_is_a_new_one_and_the_old_one_keeps_its_values(move: Move, run_sql: Sql, mode: str) -> None:
    move(
        "INSERT INTO orders (id, note) VALUES (10, 'old')",
        "ALTER TABLE orders RENAME note TO remark",
        "INSERT INTO orders (id, remark) VALUES (11, 'new')",
        WRITE_MODE=mode,
    )
    found = run_sql("SELECT id, note, remark FROM lake.orders WHERE id >= 10 ORDER BY id")
    assert found == [(10, "old", None), (11, None, "new")]


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_wider_type_is_cast_where_the_policy_says_so(move: Move, run_sql: Sql, mode: str) -> None:
    move(
        "INSERT INTO orders (id, total) VALUES (10, 1.5)",
        "ALTER TABLE orders ALTER total TYPE numeric(20, 2), ALTER id TYPE bigint",
        "INSERT INTO orders (id, total) VALUES (11, 2.5)",
        "UPDATE orders SET total = 3.5 WHERE id = 10",
        TYPE_CHANGE="coerce",
        WRITE_MODE=mode,
    )
    rows = [(10, "1.50"), (10, "3.50"), (11, "2.50")] if mode == "append" else [(10, "3.50"), (11, "2.50")]
    assert run_sql("SELECT id, total::text FROM lake.orders WHERE id >= 10 ORDER BY id, total") == rows
    types = "SELECT DISTINCT pg_typeof(id)::text, pg_typeof(total)::text FROM lake.orders"
    assert run_sql(types) == [("integer", "numeric")]


def test_new_column_is_ignored_between_changes(move: Move, run_sql: Sql) -> None:
    move(*_HISTORY[:3], NEW_COLUMN="ignore")
    assert run_sql("SELECT to_jsonb(o) ? 'colour', id FROM lake.orders AS o WHERE id >= 10 ORDER BY id") == [
        (False, 10),
        (False, 11),
    ]


@pytest.mark.parametrize(
    ("change", "policy", "reason"),
    [
        ("ADD colour text", {"NEW_COLUMN": "fail"}, "has no column colour"),
        ("DROP note", {"REMOVED_COLUMN": "fail"}, "Column note of table lake.orders in the destination does not come"),
        ("ALTER total TYPE numeric(20, 2)", {"TYPE_CHANGE": "fail"}, "numeric(20,2) at the source and numeric(10,2)"),
        ("ALTER amount DROP NOT NULL", {"NULLABILITY_CHANGE": "fail"}, "NOT NULL in the destination"),
    ],
)
def test_refused_change_ends_the_run_before_it_and_after_all_that_came_first(
    run_sql: Sql,
    run_pipeline: RunPipeline,
    variables: Mapping[str, str],
    tmp_path: Path,
    evidence: Evidence,
    change: str,
    policy: Mapping[str, str],
    reason: str,
) -> None:
    run_sql("ALTER TABLE orders ADD amount int NOT NULL DEFAULT 0")
    run_pipeline(_PIPELINE, **variables)
    run_sql("ALTER TABLE lake.orders ALTER amount SET DEFAULT 0")
    run_sql("UPDATE lake.orders SET amount = 0 WHERE amount IS NULL; ALTER TABLE lake.orders ALTER amount SET NOT NULL")
    with _tail(Cli({**variables, **policy, "CDC_MODE": "tail"}, tmp_path, evidence)) as process:
        wait_until(
            lambda: run_sql("SELECT active FROM pg_replication_slots WHERE database = current_database()") == [(True,)],
            "the run reads changes",
        )
        run_sql("INSERT INTO orders (id) VALUES (10)")
        if "NOT NULL" in change:  # which changes do not tell, so that it is looked up as it is by then
            _wait(run_sql, "id = 10")
        run_sql(f"ALTER TABLE orders {change}")
        run_sql("INSERT INTO orders (id) VALUES (11)")
        ended = finish(process)
    assert (ended.code, reason in ended.stderr) == (4, True), ended.stderr
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,), (10,)]
    lenient = {"TYPE_CHANGE": "coerce"}
    run_pipeline(_PIPELINE, **variables, **lenient)
    assert run_sql("SELECT id FROM lake.orders ORDER BY id") == [(1,), (2,), (10,), (11,)]


@pytest.mark.parametrize("point", WHERE_COLUMNS_CHANGE)
@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_run_that_is_killed_where_columns_change_leaves_no_gap_and_nothing_twice(
    run_sql: Sql, run_pipeline: RunPipeline, kill_run: KillRun, variables: Mapping[str, str], mode: str, point: str
) -> None:
    run_pipeline(_PIPELINE, **variables, WRITE_MODE=mode)
    for statement in _HISTORY:
        run_sql(statement)
    kill_run(_PIPELINE, point, **variables, WRITE_MODE=mode)
    run_pipeline(_PIPELINE, **variables, WRITE_MODE=mode)
    assert run_sql(_AFTER) == _ROWS_AFTER
