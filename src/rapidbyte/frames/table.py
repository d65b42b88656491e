"""The frames of one instance: a table of handles and the state machine of docs/ABI.md §5.

`Writable -> Sealed -> Consumed | Dropped`; a handle that is consumed or dropped is unknown from then on. Handles are
random, so those of another instance, or guessed ones, are unknown too. Driven by one thread at a time. Every method
that takes a handle raises FrameError, whose code is the name of the status that the guest gets.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames.buffers import Buffer, BufferPool
from rapidbyte.frames.metadata import FrameMetadata
from rapidbyte.model import MIB

_HANDLE_BITS = 62  # positive in the i64 of the ABI


@dataclass(frozen=True, slots=True)
class FrameLimits:
    """The most one instance may hold: one frame's capacity, the number of frames, and their capacities together."""

    frame_bytes: int = 64 * MIB
    frames: int = 64
    total_bytes: int = 256 * MIB


@dataclass(slots=True)
class _Frame:
    buffer: Buffer
    capacity: int
    is_sealed: bool
    metadata: FrameMetadata | None = None


class FrameTable:
    """All frames an instance holds."""

    def __init__(self, limits: FrameLimits, pool: BufferPool) -> None:
        self._limits = limits
        self._pool = pool
        self._frames: dict[int, _Frame] = {}
        self._total_bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def total_bytes(self) -> int:
        """The capacities of all frames together."""
        return self._total_bytes

    def new(self, capacity: int) -> int:
        """Make a writable frame of `capacity` bytes and return its handle."""
        if capacity < 0:
            raise _violation("invalid_argument", f"A frame cannot have a capacity of {capacity} bytes.")
        if capacity > self._limits.frame_bytes:
            raise _violation(
                "too_large",
                f"A frame of {capacity} bytes was asked for; the greatest is {self._limits.frame_bytes} bytes. "
                "Raise resources.max_batch_bytes.",
            )
        self.require_room(capacity)
        return self._add(_Frame(self._pool.acquire(capacity), capacity, is_sealed=False))

    def adopt(self, buffer: Buffer, metadata: FrameMetadata) -> int:
        """Own a full buffer that came through a channel, as a sealed frame, and return its handle."""
        self.require_room(buffer.length)
        return self._add(_Frame(buffer, buffer.length, is_sealed=True, metadata=metadata))

    def write(self, handle: int, source: memoryview) -> int:
        """Append `source` to a writable frame and return the length so far."""
        frame = self._frame(handle)
        if frame.is_sealed:
            raise _violation("bad_state", "A sealed frame cannot be written to.")
        if frame.buffer.length + len(source) > frame.capacity:
            raise _violation(
                "too_large",
                f"{len(source)} bytes do not fit a frame that holds {frame.buffer.length} of {frame.capacity} bytes.",
            )
        frame.buffer.append(source)
        return frame.buffer.length

    def seal(self, handle: int) -> int:
        """Make a writable frame readable and return its final length."""
        frame = self._frame(handle)
        if frame.is_sealed:
            raise _violation("bad_state", "A frame cannot be sealed twice.")
        frame.is_sealed = True
        return frame.buffer.length

    def length(self, handle: int) -> int:
        """Return the length of a sealed frame."""
        return self.sealed(handle).length

    def read(self, handle: int, offset: int, target: memoryview) -> None:
        """Fill `target` with the bytes of a sealed frame from `offset` on."""
        buffer = self.sealed(handle)
        if offset < 0 or offset + len(target) > buffer.length:
            raise _violation(
                "out_of_bounds",
                f"{len(target)} bytes at {offset} are not within a frame of {buffer.length} bytes.",
            )
        buffer.copy_out(offset, target)

    def metadata(self, handle: int) -> FrameMetadata:
        """Return what came with a frame through the channel."""
        frame = self._frame(handle)
        if frame.metadata is None:
            raise _violation("bad_state", "A frame that did not come through the channel has no metadata.")
        return frame.metadata

    def sealed(self, handle: int) -> Buffer:
        """Return the buffer of a sealed frame, which stays with the table."""
        frame = self._frame(handle)
        if not frame.is_sealed:
            raise _violation("bad_state", "A frame must be sealed first.")
        return frame.buffer

    def consume(self, handle: int) -> Buffer:
        """Give the buffer of a sealed frame to the caller, and forget the handle."""
        buffer = self.sealed(handle)
        self._forget(handle)
        return buffer

    def drop(self, handle: int) -> None:
        """Free a frame; one that is gone already, or never was, is no error."""
        if handle in self._frames:
            self._pool.release(self._forget(handle).buffer)

    def close(self) -> None:
        """Free all frames. Safe to repeat."""
        for handle in tuple(self._frames):
            self.drop(handle)

    def require_room(self, size_bytes: int) -> None:
        """Raise FrameError with code `limit` when a frame of this size could not be added."""
        if len(self._frames) >= self._limits.frames:
            raise _violation("limit", f"An instance holds at most {self._limits.frames} frames. Drop some first.")
        if self._total_bytes + size_bytes > self._limits.total_bytes:
            raise _violation(
                "limit",
                f"The frames of an instance hold at most {self._limits.total_bytes} bytes together; "
                f"{self._total_bytes} are in use. Drop some first.",
            )

    def _add(self, frame: _Frame) -> int:
        handle = secrets.randbits(_HANDLE_BITS)
        while handle in self._frames:
            handle = secrets.randbits(_HANDLE_BITS)
        self._frames[handle] = frame
        self._total_bytes += frame.capacity
        return handle

    def _frame(self, handle: int) -> _Frame:
        frame = self._frames.get(handle)
        if frame is None:
            raise _violation("bad_handle", "There is no such frame: it is unknown, consumed or dropped.")
        return frame

    def _forget(self, handle: int) -> _Frame:
        frame = self._frames.pop(handle)
        self._total_bytes -= frame.capacity
        return frame


def _violation(code: str, message: str) -> FrameError:
    return FrameError(message, ErrorInfo(code))
