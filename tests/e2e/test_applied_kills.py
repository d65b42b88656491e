"""A run that applies changes is killed at every point it passes, and the next one ends as if it was not."""

from __future__ import annotations

import pytest

from harness.fix_changes import KillSync, Same, Sql, Sync, streams
from harness.kill_points import OF_APPLIED_CHANGES, OF_COPIES, WITH_CHANGES

SEED = "fixtures/sql/changes.sql"
PIPELINE = "fixtures/pipelines/applied_changes.yaml"
STREAMS = streams("orders", "items", items=["sku"])


_POINTS = (*WITH_CHANGES, *OF_APPLIED_CHANGES)


@pytest.mark.parametrize("point", [*OF_COPIES, *_POINTS])
def test_first_run_that_is_killed_ends_as_if_it_was_not(
    sync: Sync, kill_sync: KillSync, run_sql: Sql, same: Same, point: str
) -> None:
    kill_sync(point)
    run_sql("UPDATE orders SET note = 'new', id = 10 WHERE id = 1; DELETE FROM items WHERE sku = 'nut'")
    sync()
    same()


@pytest.mark.parametrize("point", _POINTS)
def test_later_run_that_is_killed_ends_as_if_it_was_not(
    sync: Sync, kill_sync: KillSync, run_sql: Sql, same: Same, point: str
) -> None:
    sync()
    run_sql("UPDATE orders SET id = 10 WHERE id = 1; TRUNCATE items; INSERT INTO items VALUES ('pin', 1)")
    kill_sync(point)
    run_sql("UPDATE orders SET id = 1, note = 'back' WHERE id = 10; UPDATE items SET sku = 'screw'")
    sync()
    same()
