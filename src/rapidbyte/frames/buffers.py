"""The memory of frames: anonymous mappings, recycled within a budget.

A mapping costs nothing until it is touched, and goes back to the system the moment it is closed, so a frame may ask for
its greatest capacity and memory still stays flat. A buffer has one owner at a time, who gives it back to the pool.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
from types import TracebackType
from typing import Self

_LEAST_BYTES = 64 * 1024
_GIL_FREE_BYTES = 64 * 1024  # below this a copy is shorter than what it costs to give the interpreter lock away


class Buffer:
    """Memory of a fixed `capacity` in bytes, of which the first `length` are in use."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self._mapping = mmap.mmap(-1, max(capacity, 1))
        self._view = memoryview(self._mapping)
        self._anchor = ctypes.c_ubyte.from_buffer(self._mapping)
        self._address = ctypes.addressof(self._anchor)

    def append(self, source: memoryview) -> None:
        """Copy `source` behind what is there; the caller has checked that it fits."""
        _copy(self._view[self.length : self.length + len(source)], self._address + self.length, source)
        self.length += len(source)

    def copy_out(self, offset: int, target: memoryview) -> None:
        """Copy `len(target)` bytes from `offset` on; the caller has checked that they are there."""
        _copy_from(self._view[offset : offset + len(target)], self._address + offset, target)

    def content(self) -> memoryview:
        """Return a view of the bytes in use, valid until the buffer is given back."""
        return self._view[: self.length]

    def room(self) -> memoryview:
        """Return a view of the whole capacity, for those who fill a buffer themselves and then set `length`."""
        return self._view[: self.capacity]

    def close(self) -> None:
        """Return the memory to the system. Safe to repeat."""
        if self._mapping.closed:
            return
        self._view.release()
        del self._anchor
        self._mapping.close()


class BufferPool:
    """Hands out buffers and keeps up to `kept_bytes` of returned ones for the next frame. Safe for threads."""

    def __init__(self, kept_bytes: int) -> None:
        self._budget = kept_bytes
        self._kept: list[Buffer] = []
        self._kept_bytes = 0
        self._lock = threading.Lock()

    def acquire(self, capacity: int) -> Buffer:
        """Give an empty buffer of at least `capacity` bytes; the caller owns it.

        When all kept ones are too small, the oldest of them makes room: frames of one stream are of about one size.
        """
        outgrown = None
        with self._lock:
            for position in range(len(self._kept) - 1, -1, -1):
                if capacity <= self._kept[position].capacity:
                    return self._take(position)
            if self._kept:
                outgrown = self._take(0)
        if outgrown is not None:
            outgrown.close()
        return Buffer(_rounded(capacity))

    def release(self, buffer: Buffer) -> None:
        """Take a buffer back; no view of it may be used from now on."""
        buffer.length = 0
        surplus = []
        with self._lock:
            self._kept.append(buffer)
            self._kept_bytes += buffer.capacity
            while self._kept_bytes > self._budget:
                surplus.append(self._take(0))
        for oldest in surplus:
            oldest.close()

    @property
    def kept_bytes(self) -> int:
        """The memory that waits for reuse."""
        return self._kept_bytes

    def close(self) -> None:
        """Return all kept memory to the system; buffers given back later are not kept either. Safe to repeat."""
        with self._lock:
            kept, self._kept = self._kept, []
            self._kept_bytes = 0
            self._budget = 0
        for buffer in kept:
            buffer.close()

    def _take(self, position: int) -> Buffer:
        buffer = self._kept.pop(position)
        self._kept_bytes -= buffer.capacity
        return buffer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _rounded(capacity: int) -> int:
    """Return a power of two, so that frames of about one size can take each other's place; what is unused is free."""
    return max(_LEAST_BYTES, 1 << (capacity - 1).bit_length() if capacity else 0)


def _copy(target: memoryview, target_address: int, source: memoryview) -> None:
    if len(source) < _GIL_FREE_BYTES:
        target[:] = source
    else:
        ctypes.memmove(target_address, _address_of(source), len(source))


def _copy_from(source: memoryview, source_address: int, target: memoryview) -> None:
    if len(target) < _GIL_FREE_BYTES:
        target[:] = source
    else:
        ctypes.memmove(_address_of(target), source_address, len(target))


def _address_of(view: memoryview) -> int:
    return ctypes.addressof(ctypes.c_ubyte.from_buffer(view))
