"""incremental against a model: any history of inserts, changes, deletions and runs leaves what the model says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.fix_pipelines import RunPipeline
from harness.fix_tables import Ask

_MODES = "fixtures/pipelines/modes.yaml"
_CURSOR = st.integers(0, 3)  # few values, so that many rows share one
_PLACE = st.integers(0, 7)
_STEPS = st.lists(
    st.tuples(st.just("insert"), _PLACE, _CURSOR)
    | st.tuples(st.just("move"), _PLACE, _CURSOR)
    | st.tuples(st.just("change"), _PLACE, _CURSOR)
    | st.tuples(st.just("delete"), _PLACE, _CURSOR)
    | st.tuples(st.just("run"), _PLACE, _CURSOR),
    max_size=14,
)

Row = tuple[int, int, int]  # id, cursor, and a value that may change


@dataclass
class Model:
    """The source's rows by their ids, what was appended or upserted, and where the last run ended."""

    rows: dict[int, Row] = field(default_factory=dict)
    appended: Counter[Row] = field(default_factory=Counter)
    upserted: dict[int, Row] = field(default_factory=dict)
    boundary: int = -1
    taken: frozenset[tuple[int, int]] = frozenset()
    next_id: int = 0

    def run(self) -> None:
        """Move what is new: at the boundary, rows whose id was not taken there; beyond it, all."""
        found = [row for row in self.rows.values() if row[1] >= self.boundary]
        self.appended.update(row for row in found if (row[0], row[1]) not in self.taken)
        self.upserted.update({row[0]: row for row in found})
        if found:
            self.boundary = max(row[1] for row in found)
            self.taken = frozenset((row[0], row[1]) for row in found if row[1] == self.boundary)


def _step(ask: Ask, model: Model, kind: str, place: int, cursor: int) -> None:
    """Do the same to the source's table and to the model."""
    if kind == "insert":
        row = (model.next_id, cursor, 0)
        ask("INSERT INTO {s}.t VALUES (%s, %s, %s)", *row)
        model.rows[model.next_id] = row
        model.next_id += 1
    elif model.rows:
        key, value, version = list(model.rows.values())[place % len(model.rows)]
        if kind == "delete":
            ask("DELETE FROM {s}.t WHERE id = %s", key)
            del model.rows[key]
        else:
            changed = (key, cursor if kind == "move" else value, version + 1)
            ask("UPDATE {s}.t SET c = %s, v = %s WHERE id = %s", changed[1], changed[2], key)
            model.rows[key] = changed


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_every_history_leaves_what_the_model_says(ask: Ask, run_pipeline: RunPipeline, mode: str) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, c int NOT NULL, v int NOT NULL)")
    ask("CREATE SCHEMA {d}")

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(_STEPS)
    def check(steps: list[tuple[str, int, int]]) -> None:
        ask("TRUNCATE {s}.t")
        ask("DROP TABLE IF EXISTS {d}.t")
        model = Model()
        for kind, place, cursor in [*steps, ("run", 0, 0)]:
            if kind == "run":
                run_pipeline(_MODES, STREAM="t", SYNC_MODE="incremental", CURSOR="c", WRITE_MODE=mode)
                model.run()
            else:
                _step(ask, model, kind, place, cursor)
        expected = model.appended if mode == "append" else Counter(model.upserted.values())
        assert Counter(ask("SELECT id, c, v FROM {d}.t")) == expected

    check()
