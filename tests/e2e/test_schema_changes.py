"""Drift between source and target: each policy of the four axes, found before the first row and shown by check."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_tables import Ask
from rapidbyte.errors import DataError, RapidbyteError, SchemaError
from rapidbyte.model import Check, CheckStatus, RunReport

_MODES = "fixtures/pipelines/modes.yaml"
_METHODS = pytest.mark.parametrize("method", ["copy", "insert"])


class Runs:
    """Runs the stream `t`, and checks it."""

    def __init__(self, run_pipeline: RunPipeline, variables: Mapping[str, str]) -> None:
        self._run_pipeline = run_pipeline
        self._variables = variables

    def __call__(self, **variables: str) -> RunReport:
        return self._run_pipeline(_MODES, STREAM="t", **variables)

    def planned(self, **variables: str) -> list[str]:
        """Return what a check says of changes."""
        report = rapidbyte.check_pipeline(Path(_MODES), env={**self._variables, "STREAM": "t", **variables})
        assert report.is_ok
        return [check.message for check in report.checks if _is_change(check)]


def _is_change(check: Check) -> bool:
    return check.name == "schema" and check.subject == "t" and check.status is CheckStatus.WARN


@pytest.fixture
def run(run_pipeline: RunPipeline, variables: Mapping[str, str], ask: Ask) -> Runs:
    """A table that was moved once, with one row."""
    ask("CREATE TABLE {s}.t (id int, n int, label text)")
    ask("INSERT INTO {s}.t VALUES (1, 10, 'a')")
    runs = Runs(run_pipeline, variables)
    assert runs.planned() == []
    assert runs().rows_written == 1
    ask("DELETE FROM {s}.t")
    return runs


def _refused(run: Runs, ask: Ask, **variables: str) -> str:
    """Return the code of the error of a run, which leaves the table as it is."""
    before = ask("SELECT * FROM {d}.t")
    with pytest.raises(RapidbyteError) as caught:
        run(**variables)
    assert isinstance(caught.value, SchemaError | DataError)
    assert ask("SELECT * FROM {d}.t") == before
    return caught.value.code


def test_new_column_is_added_and_old_rows_have_null(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {s}.t ADD COLUMN size numeric(8,2), ADD COLUMN span interval")
    ask("INSERT INTO {s}.t VALUES (2, 20, 'b', 1.50, '1 day')")
    assert run.planned() == ["column size (numeric(8,2)) will be added", "column span (interval) will be added"]
    assert ask("SELECT * FROM {d}.t") == [(1, 10, "a")]  # a check changes nothing
    run()
    assert ask("SELECT id, size::text, span::text FROM {d}.t ORDER BY id") == [(1, None, None), (2, "1.50", "1 day")]


@_METHODS
def test_new_column_is_ignored(run: Runs, ask: Ask, method: str) -> None:
    ask("ALTER TABLE {s}.t ADD COLUMN size int, DROP COLUMN label, ADD COLUMN label text")
    ask("INSERT INTO {s}.t (id, n, size, label) VALUES (2, 20, 5, 'b')")
    assert run.planned(NEW_COLUMN="ignore") == ["column size is new at the source and is left out"]
    run(NEW_COLUMN="ignore", LOAD_METHOD=method)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10, "a"), (2, 20, "b")]


def test_new_column_fails_the_run(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {s}.t ADD COLUMN size int")
    ask("INSERT INTO {s}.t VALUES (2, 20, 'b', 5)")
    assert _refused(run, ask, NEW_COLUMN="fail") == "column_missing"


def test_removed_column_gets_its_default(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {d}.t ALTER COLUMN label SET DEFAULT 'none'")
    ask("ALTER TABLE {s}.t DROP COLUMN label, DROP COLUMN n")
    ask("INSERT INTO {s}.t VALUES (2)")
    assert run.planned() == [
        "column n is no longer moved and gets its default",
        "column label is no longer moved and gets its default",
    ]
    run()
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10, "a"), (2, None, "none")]


def test_removed_column_fails_the_run(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {s}.t DROP COLUMN label")
    assert _refused(run, ask, REMOVED_COLUMN="fail") == "column_removed"


def test_removed_column_that_needs_a_value_fails_the_run(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {d}.t ALTER COLUMN label SET NOT NULL")
    ask("ALTER TABLE {s}.t DROP COLUMN label")
    assert _refused(run, ask) == "column_required"


@_METHODS
def test_values_of_another_type_are_cast(run: Runs, ask: Ask, method: str) -> None:
    ask("ALTER TABLE {s}.t ALTER COLUMN n TYPE bigint, ALTER COLUMN label TYPE jsonb USING '1'")
    ask("ALTER TABLE {s}.t ALTER COLUMN id TYPE text")
    ask("""INSERT INTO {s}.t VALUES ('2', 20, '[1, 2]'), (NULL, NULL, NULL)""")
    assert run.planned(TYPE_CHANGE="coerce") == [
        "column id is cast from text to integer",
        "column n is cast from bigint to integer",
        "column label is cast from jsonb to text",
    ]
    run(TYPE_CHANGE="coerce", LOAD_METHOD=method)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10, "a"), (2, 20, "[1, 2]"), (None, None, None)]


@pytest.mark.parametrize(
    ("change", "value", "code"),
    [
        ("bigint", "2147483648", "22003"),
        ("numeric(8,2)", "1.50", "value_changed"),
        ("text", "'x'", "22P02"),
        ("text", "'007'", "value_changed"),
        ("double precision", "1e-3", "value_changed"),
    ],
)
def test_value_that_a_cast_would_change_fails_the_run(run: Runs, ask: Ask, change: str, value: str, code: str) -> None:
    ask("ALTER TABLE {s}.t ALTER COLUMN n TYPE " + change)
    ask("INSERT INTO {s}.t VALUES (2, 5, 'b'), (3, " + value + ", 'c')")
    assert _refused(run, ask, TYPE_CHANGE="coerce") == code


def test_type_that_cannot_be_cast_fails_before_the_first_row(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {s}.t DROP COLUMN n, ADD COLUMN n point")
    assert _refused(run, ask, TYPE_CHANGE="coerce") == "type_not_coercible"


@_METHODS
def test_values_of_another_type_become_null(run: Runs, ask: Ask, method: str) -> None:
    ask("ALTER TABLE {d}.t ALTER COLUMN n SET DEFAULT 7")
    ask("ALTER TABLE {s}.t ALTER COLUMN n TYPE bigint")
    ask("INSERT INTO {s}.t VALUES (2, 20, 'b')")
    assert run.planned(TYPE_CHANGE='"null"') == [
        "column n gets NULL, since bigint at the source is integer in the destination"
    ]
    run(TYPE_CHANGE='"null"', LOAD_METHOD=method)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10, "a"), (2, None, "b")]


def test_another_type_fails_the_run(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {s}.t ALTER COLUMN n TYPE bigint")
    assert _refused(run, ask) == "type_mismatch"


def test_null_for_a_column_that_takes_none_is_a_bad_row(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {d}.t ALTER COLUMN label SET NOT NULL")
    assert run.planned() == ["column label may be NULL at the source and not in the destination"]
    ask("INSERT INTO {s}.t VALUES (2, 20, 'b')")
    run()
    assert ask("SELECT * FROM {d}.t ORDER BY id") == [(1, 10, "a"), (2, 20, "b")]
    ask("INSERT INTO {s}.t VALUES (3, 30, NULL)")
    assert _refused(run, ask) == "23502"


def test_column_that_may_become_null_fails_the_run(run: Runs, ask: Ask) -> None:
    ask("ALTER TABLE {d}.t ALTER COLUMN label SET NOT NULL")
    assert _refused(run, ask, NULLABILITY_CHANGE="fail") == "nullability_mismatch"


@_METHODS
def test_column_that_the_destination_generates_is_left_to_it(run: Runs, ask: Ask, method: str) -> None:
    ask("ALTER TABLE {d}.t DROP COLUMN n, ADD COLUMN n int GENERATED ALWAYS AS (id * 100) STORED")
    ask("INSERT INTO {s}.t VALUES (2, 20, 'b')")
    assert run.planned() == ["column n is generated in the destination"]
    run(LOAD_METHOD=method)
    assert ask("SELECT id, n, label FROM {d}.t ORDER BY id") == [(1, 100, "a"), (2, 200, "b")]


def test_upsert_adds_a_column_and_casts_another(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE TABLE {s}.u (id int PRIMARY KEY, n int)")
    ask("INSERT INTO {s}.u VALUES (1, 10), (2, 20)")
    run_pipeline(_MODES, STREAM="u", WRITE_MODE="upsert")
    ask("ALTER TABLE {s}.u ALTER COLUMN n TYPE bigint, ADD COLUMN label text")
    ask("UPDATE {s}.u SET n = 21, label = 'b' WHERE id = 2")
    run_pipeline(_MODES, STREAM="u", WRITE_MODE="upsert", TYPE_CHANGE="coerce")
    assert ask("SELECT * FROM {d}.u ORDER BY id") == [(1, 10, None), (2, 21, "b")]
