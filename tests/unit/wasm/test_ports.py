"""A failure of a transform reaches both of its neighbours, and its end the one that comes after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rapidbyte.frames import BufferPool, FrameMetadata, FrameQueue, QueueAbortedError
from rapidbyte.model import MIB
from rapidbyte.wasm import Relay


@pytest.fixture
def relay() -> Iterator[Relay]:
    pool = BufferPool(MIB)
    yield Relay(FrameQueue(1, MIB, pool), FrameQueue(1, MIB, pool), _pass, _pass)
    pool.close()


def _pass(_: FrameMetadata) -> None:
    """Let every frame pass."""


def test_abort_is_for_both_sides(relay: Relay) -> None:
    relay.abort()
    for queue in (relay.upstream, relay.downstream):
        with pytest.raises(QueueAbortedError):
            queue.get()


def test_finish_is_for_the_side_that_comes_after_it(relay: Relay) -> None:
    relay.finish()
    assert relay.downstream.get() is None
    relay.upstream.abort()
    with pytest.raises(QueueAbortedError):
        relay.upstream.get()
