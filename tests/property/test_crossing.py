"""A transform that says of itself what is true always passes, and what it says wrongly never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.engine.crossing import Crossing
from rapidbyte.errors import FrameError
from rapidbyte.frames import Durable, FrameKind, FrameMetadata

_FATES = st.lists(st.lists(st.sampled_from(("given", "filtered", "rejected")), max_size=4), max_size=5)
_LIES = st.sampled_from(("none", "rows", "bytes", "filtered", "position"))


def _frame(kind: FrameKind, rows: int, size_bytes: int, filtered: int = 0, at: int | None = None) -> FrameMetadata:
    return FrameMetadata(0, kind, rows, size_bytes, None if at is None else {"at": at}, filtered)


def _told(frame: FrameMetadata, lie: str) -> FrameMetadata:
    """Return what a transform says of a frame."""
    rows, filtered = frame.rows + (lie == "rows"), frame.filtered + (lie == "filtered")
    position = {"at": -1} if lie == "position" else frame.position
    return FrameMetadata(0, frame.kind, rows, frame.size_bytes + (lie == "bytes"), position, filtered)


@given(_FATES, _LIES, st.data())
def test_every_row_is_accounted_for_at_each_position(fates: list[list[str]], lie: str, data: st.DataObject) -> None:
    false_at = data.draw(st.integers(0, len(fates)), "the frame that is told wrongly, the end among them")
    schema = _frame(FrameKind.SCHEMA, 0, 0)
    ledger = StreamLedger(crossings=(Crossing(),)).after_sending(schema)
    ledger = ledger.after_crossing(0, lambda crossing: crossing.after_taking(schema).after_giving(schema))
    ledger = ledger.after_delivery(schema)
    for at, batch in enumerate([*fates, None]):
        fate = [row for rows in fates for row in rows] if batch is None else batch
        kind = FrameKind.END if batch is None else FrameKind.BATCH
        taken = _frame(kind, len(fate), 8 * len(fate), at=at)
        given_on = _frame(kind, fate.count("given"), 8 * len(fate), fate.count("filtered"), at)
        ledger = ledger.after_sending(taken).after_crossing(0, lambda crossing: crossing.after_taking(taken))  # noqa: B023 (called at once)
        for _ in range(0 if batch is None else fate.count("rejected")):
            ledger = ledger.after_crossing(0, Crossing.after_rejecting)
        if at == false_at and lie != "none":
            with pytest.raises(FrameError) as caught:
                ledger.after_crossing(0, lambda crossing: crossing.after_giving(_told(given_on, lie)))  # noqa: B023 (called at once)
            assert caught.value.code == "invalid_argument"
            return
        ledger = ledger.after_crossing(0, lambda crossing: crossing.after_giving(given_on))  # noqa: B023 (called at once)
        assert not ledger.is_complete
        ledger = ledger.after_delivery(given_on)
        ledger = ledger.after_commit(Durable(0, ledger.delivered.rows, ledger.delivered.size_bytes))
    assert ledger.is_complete
    every = [row for rows in fates for row in rows]
    assert (ledger.durable_rows, ledger.filtered_rows) == (every.count("given"), every.count("filtered"))
    assert ledger.crossings[0].rejected_rows == every.count("rejected")
