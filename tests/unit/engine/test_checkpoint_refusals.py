"""What the ledger says when it refuses."""

from __future__ import annotations

import pytest

from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.engine.crossing import Crossing
from rapidbyte.engine.ledgers import Ledgers
from rapidbyte.errors import FrameError
from rapidbyte.frames import Durable, FrameKind, FrameMetadata


def _frame(kind: FrameKind, rows: int = 0) -> FrameMetadata:
    return FrameMetadata(0, kind, rows, rows)


def _ledger(*frames: FrameMetadata) -> StreamLedger:
    ledger = StreamLedger()
    for frame in frames:
        ledger = ledger.after_sending(frame).after_delivery(frame)
    return ledger


@pytest.mark.parametrize(
    ("sent", "refused", "words"),
    [
        ((), _frame(FrameKind.BATCH, 1), "A batch frame of stream 0 came before its schema"),
        ((_frame(FrameKind.SCHEMA),), _frame(FrameKind.SCHEMA), "A schema frame of stream 0 came among its batches"),
        (
            (_frame(FrameKind.SCHEMA), _frame(FrameKind.END)),
            _frame(FrameKind.BATCH, 1),
            "A batch frame of stream 0 came after its end",
        ),
        ((), _frame(FrameKind.SCHEMA, 1), "The schema of stream 0 counts rows"),
        (
            (_frame(FrameKind.SCHEMA), _frame(FrameKind.BATCH, 2)),
            _frame(FrameKind.END, 3),
            "claims 3 rows and 3 bytes, but its batches have 2 and 2",
        ),
    ],
)
def test_a_frame_out_of_order_is_explained(sent: tuple[FrameMetadata, ...], refused: FrameMetadata, words: str) -> None:
    with pytest.raises(FrameError, match=words):
        _ledger(*sent).after_sending(refused)


def test_a_checkpoint_never_goes_back_nor_ahead() -> None:
    ledger = _ledger(_frame(FrameKind.SCHEMA), _frame(FrameKind.BATCH, 5)).after_commit(Durable(0, 3, 3))
    with pytest.raises(FrameError, match="goes back from 3 rows to 2"):
        ledger.after_commit(Durable(0, 2, 3))
    with pytest.raises(FrameError, match="claims 6 rows, but 5 were delivered"):
        ledger.after_commit(Durable(0, 6, 5))


def test_only_a_transform_filters() -> None:
    with pytest.raises(FrameError, match="A frame of stream 0 has filtered rows, which only transforms do"):
        _ledger(_frame(FrameKind.SCHEMA)).after_sending(FrameMetadata(0, FrameKind.BATCH, 1, 1, filtered=1))


def test_a_transform_that_does_not_add_up_is_told_with_its_sums() -> None:
    crossing = Crossing().after_taking(_frame(FrameKind.SCHEMA)).after_giving(_frame(FrameKind.SCHEMA))
    crossing = crossing.after_taking(_frame(FrameKind.BATCH, 5)).after_rejecting()
    words = "took 5 rows of 5 bytes; it accounts for 4 of 4 bytes that it gave, 1 filtered and 1 rejected"
    with pytest.raises(FrameError, match=words):
        crossing.after_giving(FrameMetadata(0, FrameKind.BATCH, 4, 4, filtered=1))


def test_streams_do_not_touch_each_other_and_unknown_ones_are_refused() -> None:
    ledgers = Ledgers()
    ledgers.begin(0)
    ledgers.begin(1)
    ledgers.sent(_frame(FrameKind.SCHEMA))
    ledgers.sent(_frame(FrameKind.BATCH, 4))
    assert (ledgers.of(0).sent.rows, ledgers.of(1).sent.rows) == (4, 0)
    with pytest.raises(FrameError, match="Stream 2 is not part of this run"):
        ledgers.durable(Durable(2, 0, 0))
