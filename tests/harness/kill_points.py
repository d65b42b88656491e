"""The named points of a run at which tests kill it; `:n` is the n-th time that a point is passed."""

from __future__ import annotations

BEFORE_THE_END = (
    "engine.started",
    "source.prepared",
    "destination.resumed",
    "destination.begun",
    "source.emitted",
    "source.emitted:4",
    "source.ended",
    "destination.written",
    "destination.written:4",
    "destination.before_receipt",
    "destination.before_commit",
    "destination.before_commit:2",
    "destination.committed",
    "destination.committed:2",
    "engine.moved",
    "destination.resumed:2",
    "engine.moved:2",
    "engine.before_finish",
    "destination.before_finish",
)
AFTER_THE_END = ("destination.finished", "engine.finished", "engine.before_record")
WITH_BAD_ROWS = (
    "destination.rejected:2",
    "destination.before_commit",
    "destination.committed",
    "engine.moved",
    "destination.committed:2",
    "engine.before_finish",
)
IN_A_REPLAY = (
    "replay.claimed",
    "destination.rejected",
    "destination.before_commit",
    "destination.committed",
    "replay.committed",
    "replay.settled",
)
WITH_PARTS = (  # of a stream that two lanes move together
    "destination.share_opened",
    "source.range_read",
    "source.range_read:4",
    "destination.before_part",
    "destination.before_part:2",
    "destination.part_committed",
    "destination.part_committed:2",
    "destination.before_publish",
    "destination.adopted",
    "destination.before_receipt",
    "destination.before_commit",
    "destination.committed",
    "engine.moved",
    "destination.before_finish",
)

# Where what is durable and what is known of it part ways: killed here in every way of moving, however short the time.
AROUND_A_COMMIT = ("destination.before_commit", "destination.committed")

# Where a run that reads changes can die besides; the first of these only where a table is copied.
OF_COPIES = ("source.published", "source.snapshot_taken", "source.copied")
OF_CHANGES = ("source.slot_ready", "source.confirmed")

# What a run that reads changes passes besides, in either mode of writing.
WITH_CHANGES = (
    *OF_CHANGES,
    "source.emitted",
    "source.ended",
    "destination.resumed:2",
    "destination.begun",
    "destination.written",
    "destination.before_receipt",
    "destination.before_commit",
    "destination.committed",
    "engine.moved",
    "engine.before_finish",
    "destination.finished",
)

# Where changes are applied: before a round of them, behind it, and between the statements of one.
OF_APPLIED_CHANGES = ("destination.before_round", "destination.staged", "destination.applied")

# Where the columns of a table change between its changes.
WHERE_COLUMNS_CHANGE = ("source.reshaped", "destination.reshaped", "destination.reshaped:2")

# Where several lanes make the first copies: of the snapshot, of parts, of what publishes one copy and the next.
OF_SHARED_COPIES = (
    "source.slot_ready",
    "source.snapshot_taken",
    "destination.share_opened:2",
    "source.range_read",
    "source.range_read:5",
    "destination.before_part:2",
    "destination.part_committed",
    "destination.before_publish",
    "destination.adopted",
    "destination.before_receipt",
    "destination.before_commit",
    "destination.committed",
    "destination.before_publish:2",
    "destination.committed:2",
    "destination.committed:3",
    "source.slot_ready:2",
)
