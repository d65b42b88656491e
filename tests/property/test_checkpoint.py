"""The ledger of a stream against every order of frames and checkpoints: complete means that every row is durable."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidbyte.engine.checkpoint import StreamLedger
from rapidbyte.errors import FrameError
from rapidbyte.frames import Durable, FrameKind, FrameMetadata

_COUNT = st.integers(0, 3)
_FRAMES = st.builds(FrameMetadata, st.just(0), st.sampled_from(FrameKind), _COUNT, _COUNT)
_DURABLES = st.builds(Durable, st.just(0), st.integers(0, 8), st.integers(0, 8))
_STEPS = st.lists(_FRAMES | _DURABLES | st.none(), max_size=25)  # None delivers the next frame


def _batches(frames: list[FrameMetadata]) -> list[FrameMetadata]:
    return [frame for frame in frames if frame.kind is FrameKind.BATCH]


def _is_legal(frames: list[FrameMetadata]) -> bool:
    """Whether frames are the beginning of a stream, said in another way than the ledger says it."""
    kinds = "".join(frame.kind.value[0] for frame in frames)
    if kinds.rstrip("e").lstrip("s").strip("b") or kinds.count("s") > 1 or kinds.count("e") > 1:
        return False
    if frames and frames[0] != FrameMetadata(0, FrameKind.SCHEMA, 0, 0):
        return False
    sums = (sum(frame.rows for frame in _batches(frames)), sum(frame.size_bytes for frame in _batches(frames)))
    return not kinds.endswith("e") or (frames[-1].rows, frames[-1].size_bytes) == sums


def _attempt(step: Callable[[], StreamLedger], is_legal: bool, before: StreamLedger) -> StreamLedger:
    if is_legal:
        return step()
    with pytest.raises(FrameError) as caught:
        step()
    assert caught.value.code == "invalid_argument"
    return before


@given(_STEPS)
def test_the_ledger_takes_what_is_legal_and_nothing_else(steps: list[FrameMetadata | Durable | None]) -> None:
    ledger = StreamLedger()
    sent: list[FrameMetadata] = []
    delivered: list[FrameMetadata] = []
    durable = Durable(0, 0, 0)
    for value in steps:
        before = ledger
        if isinstance(value, FrameMetadata):
            is_legal = _is_legal([*sent, value])
            ledger = _attempt(lambda: before.after_sending(value), is_legal, before)  # noqa: B023 (called at once)
            sent += [value] if is_legal else []
        elif isinstance(value, Durable):
            rows = sum(frame.rows for frame in _batches(delivered))
            size_bytes = sum(frame.size_bytes for frame in _batches(delivered))
            is_legal = durable.rows <= value.rows <= rows and durable.size_bytes <= value.size_bytes <= size_bytes
            ledger = _attempt(lambda: before.after_commit(value), is_legal, before)  # noqa: B023 (called at once)
            durable = value if is_legal else durable
        elif len(delivered) < len(sent):
            delivered.append(sent[len(delivered)])
            ledger = ledger.after_delivery(delivered[-1])
        has_ended = bool(sent) and sent[-1].kind is FrameKind.END
        total = sum(frame.rows for frame in _batches(sent))
        assert ledger.is_sent == has_ended
        assert ledger.is_complete == (has_ended and delivered == sent and durable.rows == total)
        assert (ledger.sent.rows, ledger.sent.batches) == (total, len(_batches(sent)))
