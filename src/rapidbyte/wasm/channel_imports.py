"""The imports for frames and the channel (docs/ABI.md §5 and §6)."""

from __future__ import annotations

import json
import struct

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames import BufferPool, Durable, FrameMetadata, FrameTable, Rejection
from rapidbyte.wasm.abi import MAX_METADATA_BYTES, MAX_REJECTION_BYTES, RANGE_BYTES, Status
from rapidbyte.wasm.activity import Activity
from rapidbyte.wasm.guarding import Refusals, guarded
from rapidbyte.wasm.memory import GuestMemory
from rapidbyte.wasm.ports import Inlet, Outlet, Port

_RANGE = struct.Struct("<qq")


class ChannelImports:
    """The frames of one instance, and its end of the channel while it runs (`port`)."""

    def __init__(self, refusals: Refusals, frames: FrameTable, pool: BufferPool, activity: Activity) -> None:
        self.refusals = refusals
        self.frames = frames
        self.port: Port | None = None
        self.memory: GuestMemory  # set once the instance exists, before any import can be called
        self._pool = pool
        self._activity = activity

    @guarded
    def frame_new(self, capacity: int) -> int:
        """Make a writable frame."""
        return self.frames.new(capacity)

    @guarded
    def frame_write(self, frame: int, pointer: int, length: int) -> int:
        """Append guest memory to a frame."""
        return self.frames.write(frame, self.memory.view(pointer, length))

    @guarded
    def frame_seal(self, frame: int) -> int:
        """Make a frame readable."""
        return self.frames.seal(frame)

    @guarded
    def frame_len(self, frame: int) -> int:
        """Give the length of a sealed frame."""
        return self.frames.length(frame)

    @guarded
    def frame_read(self, frame: int, offset: int, pointer: int, length: int) -> int:
        """Copy a part of a frame into guest memory."""
        self.frames.read(frame, offset, self.memory.view(pointer, length))
        return Status.OK

    @guarded
    def frame_drop(self, frame: int) -> int:
        """Free a frame."""
        self.frames.drop(frame)
        return Status.OK

    @guarded
    def frame_meta(self, frame: int, pointer: int, capacity: int) -> int:
        """Write a frame's metadata and give its length."""
        document = self.frames.metadata(frame).to_json()
        self.memory.write_some(pointer, capacity, document)
        return len(document)

    @guarded
    def emit(self, frame: int, pointer: int, length: int) -> int:
        """Hand a sealed frame on; it stays with the guest unless it got through."""
        buffer = self.frames.sealed(frame)
        metadata = FrameMetadata.parse(self._document(pointer, length))
        port = self.port
        if isinstance(port, Inlet) or port is None:
            raise _wrong_side("send frames")
        port.admit(metadata)
        queue = port.queue if isinstance(port, Outlet) else port.downstream
        with self._activity.waiting_for_peer():
            queue.put(metadata, buffer)
        self.frames.consume(frame)
        return Status.OK

    @guarded
    def next(self) -> int:
        """Wait for the next frame."""
        port = self.port
        if isinstance(port, Outlet) or port is None:
            raise _wrong_side("receive frames")
        self.frames.require_room(0)
        queue, note = (port.queue, port.delivered) if isinstance(port, Inlet) else (port.upstream, port.taken)
        with self._activity.waiting_for_peer():
            arrival = queue.get()
        if arrival is None:
            return Status.END_OF_STREAM
        metadata, buffer = arrival
        try:
            handle = self.frames.adopt(buffer, metadata)
        except FrameError:
            self._pool.release(buffer)
            raise
        note(metadata)
        return handle

    @guarded
    def checkpoint(self, pointer: int, length: int) -> int:
        """Take note of what is durable."""
        durable = Durable.parse(self._document(pointer, length))
        inlet = self.port
        if not isinstance(inlet, Inlet):
            raise _wrong_side("report committed rows")
        inlet.durable(durable)
        return Status.OK

    @guarded
    def durable_position(self, stream: int, pointer: int, capacity: int) -> int:
        """Write the position that is durable of a stream, and give its length; 0 before the first one."""
        outlet = self._outlet("ask what is durable")
        outlet.queue.require_whole()
        self._activity.beat()  # who asks waits for the destination
        position = outlet.durable_position(stream)
        document = b"" if position is None else json.dumps(position).encode("ascii")
        self.memory.write_some(pointer, capacity, document)
        return len(document)

    @guarded
    def stop_requested(self) -> int:
        """Tell whether the run is asked to end."""
        outlet = self._outlet("ask whether to stop")
        outlet.queue.require_whole()
        return int(outlet.stop_requested())

    @guarded
    def report_lag(self, size: int) -> int:
        """Take note of how far the destination is behind the source."""
        outlet = self._outlet("tell how far behind it is")
        if size < 0:
            raise FrameError(f"{size} bytes cannot lie between two places.", ErrorInfo("invalid_argument"))
        outlet.lag(size)
        return Status.OK

    @guarded
    def reject(self, pointer: int, length: int) -> int:
        """Take a row that cannot be moved."""
        rejection = Rejection.parse(self._document(pointer, length, MAX_REJECTION_BYTES))
        if self.port is None:
            raise _wrong_side("reject rows")
        self.port.rejected(rejection)
        return Status.OK

    @guarded
    def next_range(self, stream: int, pointer: int) -> int:
        """Write the next range to read."""
        view = self.memory.view(pointer, RANGE_BYTES)
        taken = self._outlet("read ranges").next_range(stream)
        if taken is None:
            return Status.END_OF_STREAM
        _RANGE.pack_into(view, 0, *taken)
        return Status.OK

    def _outlet(self, doing: str) -> Outlet:
        if not isinstance(self.port, Outlet):
            raise _wrong_side(doing)
        return self.port

    def _document(self, pointer: int, length: int, most_bytes: int = MAX_METADATA_BYTES) -> bytes:
        view = self.memory.view(pointer, length)
        if len(view) > most_bytes:
            raise FrameError(
                f"A document of {len(view)} bytes was passed; at most {most_bytes} are read.", ErrorInfo("too_large")
            )
        return bytes(view)


def _wrong_side(doing: str) -> FrameError:
    return FrameError(f"This connector cannot {doing} now.", ErrorInfo("bad_state"))
