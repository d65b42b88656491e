"""The channel between two stages: a queue bounded in frames and bytes, that ends in one of two different ways.

`finish` is the end after everything came; `abort` is a failure, of whichever side, and reaches both: it is never
mistaken for an end. Buffers that nobody will take are given back to the pool.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames.buffers import Buffer, BufferPool
from rapidbyte.frames.compress import Codec
from rapidbyte.frames.metadata import FrameMetadata


class QueueAbortedError(FrameError):
    """The other side of the channel failed, or the run was stopped."""

    default_code = "aborted"


@dataclass(frozen=True, slots=True)
class _Packet:
    metadata: FrameMetadata
    buffer: Buffer
    size_bytes: int  # of the content before it was packed


class FrameQueue:
    """Frames in order, from one thread to another. At least one frame fits, however large it is."""

    def __init__(self, max_frames: int, max_bytes: int, pool: BufferPool, codec: Codec | None = None) -> None:
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._pool = pool
        self._codec = codec
        self._packets: deque[_Packet] = deque()
        self._bytes = 0
        self._is_finished = False
        self._is_aborted = False
        self.has_given = False  # whether a frame was ever taken
        self._changed = threading.Condition()

    def __len__(self) -> int:
        return len(self._packets)

    @property
    def size_bytes(self) -> int:
        """The memory of the frames that wait."""
        return self._bytes

    def put(self, metadata: FrameMetadata, buffer: Buffer) -> None:
        """Hand a buffer on, which then belongs to the queue; blocks while the queue is full.

        Raises QueueAbortedError, and FrameError with code `bad_state` after `finish`; the buffer stays with the caller.
        """
        packet = self._pack(metadata, buffer)
        try:
            self._enqueue(packet)
        except BaseException:
            if packet.buffer is not buffer:
                self._pool.release(packet.buffer)
            raise
        if packet.buffer is not buffer:
            self._pool.release(buffer)

    def get(self) -> tuple[FrameMetadata, Buffer] | None:
        """Take the next frame, whose buffer then belongs to the caller, or None at the end; blocks while empty.

        Raises QueueAbortedError.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._packets or self._is_finished or self._is_aborted)
            self._require_unbroken()
            if not self._packets:
                return None
            packet = self._packets.popleft()
            self._bytes -= packet.buffer.length
            self.has_given = True
            self._changed.notify_all()
        return packet.metadata, self._unpack(packet)

    def require_whole(self) -> None:
        """Raise QueueAbortedError when the channel was aborted."""
        with self._changed:
            self._require_unbroken()

    def finish(self) -> None:
        """Say that everything came; `get` gives what is left, then None. Without effect after `abort`."""
        with self._changed:
            self._is_finished = True
            self._changed.notify_all()

    def abort(self) -> None:
        """Wake both sides with QueueAbortedError, now and for ever, and drop what waits. Safe to repeat."""
        with self._changed:
            self._is_aborted = True
            dropped, self._packets = self._packets, deque()
            self._bytes = 0
            self._changed.notify_all()
        for packet in dropped:
            self._pool.release(packet.buffer)

    def _enqueue(self, packet: _Packet) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._is_aborted or self._is_finished or self._has_room(packet))
            self._require_unbroken()
            if self._is_finished:
                raise FrameError("A frame was sent after the end of the channel.", ErrorInfo("bad_state"))
            self._packets.append(packet)
            self._bytes += packet.buffer.length
            self._changed.notify_all()

    def _has_room(self, packet: _Packet) -> bool:
        if not self._packets:
            return True
        return len(self._packets) < self._max_frames and self._bytes + packet.buffer.length <= self._max_bytes

    def _require_unbroken(self) -> None:
        if self._is_aborted:
            raise QueueAbortedError("The other side of the channel failed; what came is not whole.")

    def _pack(self, metadata: FrameMetadata, buffer: Buffer) -> _Packet:
        if self._codec is None:
            return _Packet(metadata, buffer, buffer.length)
        return _Packet(metadata, self._codec.packed(buffer, self._pool), buffer.length)

    def _unpack(self, packet: _Packet) -> Buffer:
        if self._codec is None:
            return packet.buffer
        try:
            return self._codec.unpacked(packet.buffer, packet.size_bytes, self._pool)
        finally:
            self._pool.release(packet.buffer)
