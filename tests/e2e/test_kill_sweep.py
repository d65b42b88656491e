"""kill -9 at every named point of a run: the next run leaves what an undisturbed one would.

The nightly profile takes every point in every pair of modes. The fast one takes each point once, spread over the modes,
and those around a commit in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import pytest

from harness.fix_gate import Gate
from harness.fix_kills import KillRun
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_shares import Shares
from harness.fix_tables import Ask
from harness.kill_points import AFTER_THE_END, AROUND_A_COMMIT, BEFORE_THE_END, WITH_BAD_ROWS, WITH_PARTS
from harness.names import SchemaPair
from harness.oracle import TableName, assert_same_table
from harness.profiles import is_nightly
from rapidbyte.model import StateSpec
from rapidbyte.state import open_state

_PIPELINE = "fixtures/pipelines/two_tables.yaml"
_TABLES = ("first", "second")

APPEND = {"SYNC_MODE": "full_refresh", "WRITE_MODE": "append"}
WAYS: Mapping[str, Mapping[str, str]] = {
    "append": APPEND,
    "replace": {"SYNC_MODE": "full_refresh", "WRITE_MODE": "replace"},
    "upsert": {"SYNC_MODE": "full_refresh", "WRITE_MODE": "upsert"},
    "incremental append": {"SYNC_MODE": "incremental", "CURSOR": "at", "WRITE_MODE": "append"},
    "incremental upsert": {"SYNC_MODE": "incremental", "CURSOR": "at", "WRITE_MODE": "upsert"},
}
_PARTS = "fixtures/pipelines/parts.yaml"
POINTS = (*BEFORE_THE_END, *AFTER_THE_END)
BAD_ROW_CASES = tuple(
    (way, point)
    for turn, way in enumerate(WAYS)
    for place, point in enumerate(WITH_BAD_ROWS)
    if is_nightly() or place % len(WAYS) == turn or point == "engine.moved"
)
CASES = tuple(
    (way, point)
    for turn, way in enumerate(WAYS)
    for place, point in enumerate(POINTS)
    if is_nightly() or place % len(WAYS) == turn or point in AROUND_A_COMMIT
)


@pytest.mark.parametrize(("way", "point"), CASES)
def test_next_run_leaves_what_an_undisturbed_one_would(
    session: psycopg.Connection,
    schemas: SchemaPair,
    seeded: Seed,
    ask: Ask,
    run_pipeline: RunPipeline,
    kill_run: KillRun,
    way: str,
    point: str,
) -> None:
    seeded("fixtures/sql/two_tables.sql")
    modes = WAYS[way]
    if modes is not APPEND:  # there are rows already, and new ones beside and after the last cursor value
        run_pipeline(_PIPELINE, **modes)
        for table in _TABLES:
            ask(
                "INSERT INTO {s}."
                + table
                + " SELECT n, last.at + n % 2 * n / 100, 'new' FROM (SELECT max(at) AS at FROM {s}."
                + table
                + ") AS last, generate_series(10001, 12000) AS n"
            )
    kill_run(_PIPELINE, point, **modes)
    run_pipeline(_PIPELINE, **modes)
    # A run that came to its end before it was killed was one run, and the next one is another.
    copies = 2 if modes is APPEND and point in AFTER_THE_END else 1
    for table in _TABLES:
        source, destination = TableName(schemas.source, table), TableName(schemas.destination, table)
        assert_same_table(session, source, destination, copies=copies)


@pytest.mark.parametrize(("way", "point"), BAD_ROW_CASES)
def test_next_run_leaves_out_the_same_rows_and_keeps_each_once(
    seeded: Seed, ask: Ask, run_pipeline: RunPipeline, kill_run: KillRun, state_path: Path, way: str, point: str
) -> None:
    seeded("fixtures/sql/two_tables.sql")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.first (LIKE {s}.first INCLUDING ALL, CHECK (id % 1000 <> 7))")
    modes = {**WAYS[way], "ON_DATA_ERROR": "dlq"}
    kill_run(_PIPELINE, point, **modes)
    run_pipeline(_PIPELINE, **modes)
    good = ask("SELECT * FROM {s}.first WHERE id % 1000 <> 7 ORDER BY id")
    assert ask("SELECT * FROM {d}.first ORDER BY id") == good
    bad = [key for (key,) in ask("SELECT id FROM {s}.first WHERE id % 1000 = 7 ORDER BY id")]
    with open_state(StateSpec(connection=str(state_path))) as state:
        letters = [stored.letter for stored in state.dead_letters.list()]
    assert sorted(int(letter.row["id"]) for letter in letters) == bad
    assert {letter.uncommitted for letter in letters} == {None}


def test_point_that_is_not_reached_fails_the_test(seeded: Seed, kill_run: KillRun) -> None:
    seeded("fixtures/sql/two_tables.sql")
    with pytest.raises(AssertionError, match="nowhere was not reached: the run ended with 0"):
        kill_run(_PIPELINE, "nowhere")


@pytest.mark.parametrize(
    ("mode", "point"),
    [
        (mode, point)
        for turn, mode in enumerate(("append", "replace"))
        for place, point in enumerate(WITH_PARTS)
        if is_nightly() or place % 2 == turn or point in AROUND_A_COMMIT
    ],
)
def test_next_run_moves_all_parts_or_none(
    session: psycopg.Connection,
    schemas: SchemaPair,
    seeded: Seed,
    make_gate: Callable[[str], Gate],
    shares: Shares,
    run_pipeline: RunPipeline,
    kill_run: KillRun,
    mode: str,
    point: str,
) -> None:
    seeded("fixtures/sql/large.sql")
    gate = make_gate("large")
    with gate.opening(readers=2):
        kill_run(_PARTS, point, LANES="2", WRITE_MODE=mode)
    run_pipeline(_PARTS, LANES="2", WRITE_MODE=mode)
    assert_same_table(session, TableName(schemas.source, "large"), TableName(schemas.destination, "large"))
    assert shares("parts", "large") == []
