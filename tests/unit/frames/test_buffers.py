"""Buffers keep what is written to them, and the pool's memory stays within its budget."""

from __future__ import annotations

import pytest

from rapidbyte.frames import BufferPool
from rapidbyte.model import KIB


@pytest.mark.parametrize("size_bytes", [0, 1, 64 * KIB - 1, 64 * KIB, 300 * KIB])
def test_content_comes_back_as_it_was_written(size_bytes: int) -> None:
    content = bytes(index * 7 % 251 for index in range(size_bytes))
    with BufferPool(0) as pool:
        buffer = pool.acquire(2 * size_bytes)
        buffer.append(memoryview(bytearray(content)))
        buffer.append(memoryview(bytearray(content)))
        target = bytearray(2 * size_bytes)
        buffer.copy_out(0, memoryview(target))
        assert bytes(target) == content + content
        pool.release(buffer)


def test_a_returned_buffer_is_empty_and_used_again() -> None:
    with BufferPool(1024 * KIB) as pool:
        first = pool.acquire(100 * KIB)
        first.append(memoryview(bytearray(b"old")))
        pool.release(first)
        second = pool.acquire(10 * KIB)
        assert second is first
        assert second.length == 0
        pool.release(second)


def test_kept_memory_never_exceeds_the_budget_and_the_newest_is_kept() -> None:
    with BufferPool(256 * KIB) as pool:
        buffers = [pool.acquire(128 * KIB) for _ in range(5)]
        for buffer in buffers:
            pool.release(buffer)
        assert pool.kept_bytes == 256 * KIB
        assert pool.acquire(1) is buffers[4]
        assert pool.acquire(1) is buffers[3]
        assert pool.acquire(1) not in buffers


def test_a_buffer_that_was_outgrown_makes_room() -> None:
    with BufferPool(1024 * KIB) as pool:
        small = [pool.acquire(64 * KIB) for _ in range(2)]
        for buffer in small:
            pool.release(buffer)
        large = pool.acquire(65 * KIB)
        assert large.capacity == 128 * KIB
        assert pool.kept_bytes == 64 * KIB
        pool.release(large)


def test_a_closed_pool_keeps_nothing() -> None:
    pool = BufferPool(1024 * KIB)
    late = pool.acquire(64 * KIB)
    pool.release(pool.acquire(64 * KIB))
    pool.close()
    pool.release(late)
    assert pool.kept_bytes == 0
