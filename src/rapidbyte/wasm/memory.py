"""A guest's linear memory: views that are checked against its present length."""

from __future__ import annotations

import ctypes

from wasmtime import Memory, Store

from rapidbyte.errors import ErrorInfo, InternalError


class GuestMemory:
    """Used by the thread that drives the instance. Pointers and lengths are taken as unsigned 32-bit numbers."""

    def __init__(self, memory: Memory, store: Store) -> None:
        self._memory = memory
        self._store = store
        self._length = -1
        self._view = memoryview(b"")

    @property
    def size_bytes(self) -> int:
        """The present length of the memory."""
        return self._memory.data_len(self._store)

    def view(self, pointer: int, length: int) -> memoryview:
        """Return a writable view, valid until the guest runs again. Raises InternalError with code `bad_pointer`."""
        start, length = pointer & 0xFFFFFFFF, length & 0xFFFFFFFF
        if self._memory.data_len(self._store) != self._length:
            self._rebuild()
        if start + length > self._length:
            raise InternalError(
                f"A connector passed {length} bytes at {start}, outside its memory of {self._length} bytes.",
                ErrorInfo("bad_pointer"),
            )
        return self._view[start : start + length]

    def read(self, pointer: int, length: int) -> bytes:
        """Return a copy. Raises InternalError with code `bad_pointer`."""
        return bytes(self.view(pointer, length))

    def write_some(self, pointer: int, capacity: int, content: bytes) -> None:
        """Write as much of `content` as fits `capacity`. Raises InternalError with code `bad_pointer`."""
        target = self.view(pointer, capacity)
        fitting = content[: len(target)]
        target[: len(fitting)] = fitting

    def close(self) -> None:
        """Let go of the view, before the store is closed."""
        self._view = memoryview(b"")
        self._length = -1

    def _rebuild(self) -> None:
        self._length = self._memory.data_len(self._store)
        address = ctypes.addressof(self._memory.data_ptr(self._store).contents) if self._length else 0
        self._view = memoryview((ctypes.c_ubyte * self._length).from_address(address)).cast("B")
