"""What the ledger says when it refuses."""

from __future__ import annotations

import pytest

from rapidbyte.engine.checkpoint import StreamLedger, Total
from rapidbyte.engine.crossing import Crossing
from rapidbyte.engine.ledger import Ledger
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


def test_lane_takes_only_what_belongs_to_its_stream() -> None:
    ledger = Ledger(0)
    ledger.sent(_frame(FrameKind.SCHEMA))
    ledger.sent(_frame(FrameKind.BATCH, 4))
    assert ledger.now.sent.rows == 4
    with pytest.raises(FrameError, match="Stream 2 is not what this lane moves now"):
        ledger.durable(Durable(2, 0, 0))


def test_part_is_not_durable_by_itself() -> None:
    ledger = Ledger(0, is_part=True)
    with pytest.raises(FrameError, match="A part of stream 0 is durable only with all the others") as caught:
        ledger.durable(Durable(0, 0, 0))
    assert caught.value.code == "invalid_argument"


def _whole(rows: int) -> StreamLedger:
    return _ledger(_frame(FrameKind.SCHEMA), _frame(FrameKind.BATCH, rows), _frame(FrameKind.END, rows))


def test_parts_become_durable_together() -> None:
    total = Total.of([_whole(2), _whole(3)])
    assert (total.sent, total.sent.rows, total.sent.batches) == (total.delivered, 5, 2)
    assert (total.durable_rows, total.is_delivered) == (0, True)
    assert total.after_publication().durable_rows == 5


def test_parts_that_are_not_all_delivered_are_not_durable() -> None:
    under_way = _ledger(_frame(FrameKind.SCHEMA), _frame(FrameKind.BATCH, 3))
    not_delivered = _ledger(_frame(FrameKind.SCHEMA)).after_sending(_frame(FrameKind.END))
    for parts in ([_whole(2), under_way], [_whole(2), not_delivered], []):
        with pytest.raises(FrameError, match="before all of its parts were delivered"):
            Total.of(parts).after_publication()
    with pytest.raises(FrameError, match="A part of a stream was durable before the others"):
        Total.of([_whole(2).after_commit(Durable(0, 2, 2)), _whole(3)]).after_publication()


def test_streams_that_move_together_are_told_apart_and_others_refused() -> None:
    ledgers = Ledgers((0, 1))
    ledgers.sent(_frame(FrameKind.SCHEMA))
    ledgers.sent(_frame(FrameKind.BATCH, 4))
    assert (ledgers.of(0).now.sent.rows, ledgers.of(1).now.sent.rows) == (4, 0)
    with pytest.raises(FrameError, match="Stream 2 is not what this lane moves now"):
        ledgers.durable(Durable(2, 0, 0))


def test_durable_position_is_that_of_the_last_checkpoint_that_had_one() -> None:
    ledgers = Ledgers((0,))
    found = [ledgers.durable_position(0)]
    for position in ({"lsn": "0/1"}, None, {"lsn": "0/2"}):
        ledgers.durable(Durable(0, 0, 0, position))
        found.append(ledgers.durable_position(0))
    assert found == [None, {"lsn": "0/1"}, {"lsn": "0/1"}, {"lsn": "0/2"}]
