"""The channel blocks when it is full or empty, wakes on every way of ending, and never confuses the ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError

import pytest

from rapidbyte.errors import FrameError
from rapidbyte.frames import Buffer, BufferPool, FrameKind, FrameMetadata, FrameQueue, QueueAbortedError, codec_of
from rapidbyte.model import MIB, Compression

_TIMEOUT_S = 5.0
_STILL_S = 0.05  # how long a call must stay blocked to count as blocked


@pytest.fixture
def pool() -> Iterator[BufferPool]:
    with BufferPool(4 * MIB) as pool:
        yield pool


@pytest.fixture
def other_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def _metadata(rows: int) -> FrameMetadata:
    return FrameMetadata(stream=0, kind=FrameKind.BATCH, rows=rows, size_bytes=8 * rows)


def _filled(pool: BufferPool, content: bytes) -> Buffer:
    buffer = pool.acquire(len(content))
    buffer.append(memoryview(bytearray(content)))
    return buffer


def _assert_blocked(future: Future[object]) -> None:
    with pytest.raises(FutureTimeoutError):
        future.result(timeout=_STILL_S)


def _put(queue: FrameQueue, pool: BufferPool, rows: int, content: bytes = b"12345678") -> None:
    queue.put(_metadata(rows), _filled(pool, content))


def _rows(queue: FrameQueue) -> int | None:
    arrival = queue.get()
    return None if arrival is None else arrival[0].rows


def test_frames_arrive_in_order_and_the_end_comes_after_them(pool: BufferPool) -> None:
    queue = FrameQueue(4, MIB, pool)
    for rows in (1, 2, 3):
        _put(queue, pool, rows)
    queue.finish()
    assert [_rows(queue) for _ in range(5)] == [1, 2, 3, None, None]


def test_a_queue_full_of_frames_blocks_until_one_is_taken(pool: BufferPool, other_thread: ThreadPoolExecutor) -> None:
    queue = FrameQueue(2, MIB, pool)
    _put(queue, pool, 1)
    _put(queue, pool, 2)
    blocked: Future[object] = other_thread.submit(_put, queue, pool, 3)
    _assert_blocked(blocked)
    assert _rows(queue) == 1
    blocked.result(_TIMEOUT_S)
    assert len(queue) == 2


def test_a_queue_full_of_bytes_blocks_until_they_fit(pool: BufferPool, other_thread: ThreadPoolExecutor) -> None:
    queue = FrameQueue(10, 20, pool)
    _put(queue, pool, 1, bytes(12))
    blocked: Future[object] = other_thread.submit(_put, queue, pool, 2, bytes(12))
    _assert_blocked(blocked)
    assert queue.size_bytes == 12
    assert _rows(queue) == 1
    blocked.result(_TIMEOUT_S)


def test_a_frame_greater_than_the_queue_passes_alone(pool: BufferPool) -> None:
    queue = FrameQueue(10, 20, pool)
    _put(queue, pool, 1, bytes(500))
    assert _rows(queue) == 1


def test_an_empty_queue_blocks_until_a_frame_comes(pool: BufferPool, other_thread: ThreadPoolExecutor) -> None:
    queue = FrameQueue(2, MIB, pool)
    blocked: Future[object] = other_thread.submit(_rows, queue)
    _assert_blocked(blocked)
    _put(queue, pool, 7)
    assert blocked.result(_TIMEOUT_S) == 7


@pytest.mark.parametrize("is_reader", [True, False])
def test_an_abort_wakes_whoever_is_blocked(pool: BufferPool, other_thread: ThreadPoolExecutor, is_reader: bool) -> None:
    queue = FrameQueue(1, MIB, pool)
    call: Callable[[], object] = lambda: _rows(queue)  # noqa: E731
    if not is_reader:
        _put(queue, pool, 1)
        call = lambda: _put(queue, pool, 2)  # noqa: E731
    blocked: Future[object] = other_thread.submit(call)
    _assert_blocked(blocked)
    queue.abort()
    with pytest.raises(QueueAbortedError):
        blocked.result(_TIMEOUT_S)


def test_an_abort_is_never_an_end_even_with_frames_left_or_after_the_finish(pool: BufferPool) -> None:
    queue = FrameQueue(4, MIB, pool)
    _put(queue, pool, 1)
    queue.finish()
    queue.abort()
    with pytest.raises(QueueAbortedError):
        queue.get()
    queue.finish()
    with pytest.raises(QueueAbortedError):
        queue.get()


def test_an_abort_gives_the_waiting_buffers_back(pool: BufferPool) -> None:
    queue = FrameQueue(4, MIB, pool)
    _put(queue, pool, 1)
    kept_before = pool.kept_bytes
    queue.abort()
    assert (queue.size_bytes, len(queue)) == (0, 0)
    assert pool.kept_bytes == kept_before + 65536


def test_a_frame_after_the_end_is_refused_and_stays_with_the_sender(pool: BufferPool) -> None:
    queue = FrameQueue(4, MIB, pool)
    queue.finish()
    buffer = _filled(pool, b"late")
    with pytest.raises(FrameError) as caught:
        queue.put(_metadata(1), buffer)
    assert caught.value.code == "bad_state"
    assert bytes(buffer.content()) == b"late"


@pytest.mark.parametrize("compression", list(Compression))
@pytest.mark.parametrize("content", [b"", b"x", b"abcdefgh" * 40_000])
def test_every_compression_gives_back_what_was_put(pool: BufferPool, compression: Compression, content: bytes) -> None:
    queue = FrameQueue(4, MIB, pool, codec_of(compression))
    _put(queue, pool, 1, content)
    packed_bytes = queue.size_bytes
    arrival = queue.get()
    assert arrival is not None
    assert bytes(arrival[1].content()) == content
    if len(content) > 1 and compression is not Compression.NONE:
        assert packed_bytes < len(content) // 10
