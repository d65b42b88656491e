"""The frame table against a model: every sequence of calls leaves it as docs/ABI.md §5 says."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from rapidbyte.errors import FrameError
from rapidbyte.frames import BufferPool, FrameKind, FrameLimits, FrameMetadata, FrameTable

_LIMITS = FrameLimits(frame_bytes=64, frames=4, total_bytes=160)
_METADATA = FrameMetadata(stream=0, kind=FrameKind.BATCH, rows=1, size_bytes=1)


class _Model:
    """What a frame should be: its bytes, whether it is sealed, and how much it may hold."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.content = b""
        self.is_sealed = False


class FrameTableMachine(RuleBasedStateMachine):
    """Drives a table and a model side by side."""

    handles = Bundle("handles")

    def __init__(self) -> None:
        super().__init__()
        self.pool = BufferPool(1024 * 1024)
        self.table = FrameTable(_LIMITS, self.pool)
        self.model: dict[int, _Model] = {}

    def teardown(self) -> None:
        self.table.close()
        assert (len(self.table), self.table.total_bytes) == (0, 0)
        self.pool.close()

    def _expect(self, code: str) -> pytest.RaisesExc[FrameError]:
        return pytest.RaisesExc(FrameError, check=lambda error: error.code == code)

    @rule(target=handles, capacity=st.integers(-1, 80))
    def new(self, capacity: int) -> int:
        used = sum(frame.capacity for frame in self.model.values())
        code = (
            "invalid_argument"
            if capacity < 0
            else "too_large"
            if capacity > _LIMITS.frame_bytes
            else "limit"
            if len(self.model) >= _LIMITS.frames or used + capacity > _LIMITS.total_bytes
            else None
        )
        if code is not None:
            with self._expect(code):
                self.table.new(capacity)
            return -1
        handle = self.table.new(capacity)
        assert handle not in self.model
        self.model[handle] = _Model(capacity)
        return handle

    @rule(handle=handles, content=st.binary(max_size=40))
    def write(self, handle: int, content: bytes) -> None:
        frame = self.model.get(handle)
        code = (
            "bad_handle"
            if frame is None
            else "bad_state"
            if frame.is_sealed
            else "too_large"
            if len(frame.content) + len(content) > frame.capacity
            else None
        )
        if frame is None or code is not None:
            with self._expect(str(code)):
                self.table.write(handle, memoryview(content))
            return
        frame.content += content
        assert self.table.write(handle, memoryview(content)) == len(frame.content)

    @rule(handle=handles)
    def seal(self, handle: int) -> None:
        frame = self.model.get(handle)
        if frame is None or frame.is_sealed:
            with self._expect("bad_handle" if frame is None else "bad_state"):
                self.table.seal(handle)
            return
        frame.is_sealed = True
        assert self.table.seal(handle) == len(frame.content)

    @rule(handle=handles, offset=st.integers(-1, 70), length=st.integers(0, 70))
    def read(self, handle: int, offset: int, length: int) -> None:
        frame = self.model.get(handle)
        target = memoryview(bytearray(length))
        code = (
            "bad_handle"
            if frame is None
            else "bad_state"
            if not frame.is_sealed
            else "out_of_bounds"
            if offset < 0 or offset + length > len(frame.content)
            else None
        )
        if frame is None or code is not None:
            with self._expect(str(code)):
                self.table.read(handle, offset, target)
            assert bytes(target) == bytes(length)
            return
        self.table.read(handle, offset, target)
        assert bytes(target) == frame.content[offset : offset + length]

    @rule(target=handles, handle=handles)
    def consume_and_adopt(self, handle: int) -> int:
        """What the channel does, where one instance's frame becomes another's: the handle changes, the bytes do not."""
        frame = self.model.get(handle)
        if frame is None or not frame.is_sealed:
            with self._expect("bad_handle" if frame is None else "bad_state"):
                self.table.consume(handle)
            return -1
        del self.model[handle]
        adopted = self.table.adopt(self.table.consume(handle), _METADATA)
        assert self.table.metadata(adopted) == _METADATA
        frame.capacity = len(frame.content)
        self.model[adopted] = frame
        return adopted

    @rule(handle=handles)
    def drop(self, handle: int) -> None:
        self.table.drop(handle)
        self.model.pop(handle, None)

    @rule(handle=st.integers(0, 2**62 - 1))
    def guess(self, handle: int) -> None:
        if handle not in self.model:
            with self._expect("bad_handle"):
                self.table.length(handle)

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.table) == len(self.model)
        assert self.table.total_bytes == sum(frame.capacity for frame in self.model.values())

    @invariant()
    def lengths_agree(self) -> None:
        for handle, frame in self.model.items():
            if frame.is_sealed:
                assert self.table.length(handle) == len(frame.content)


TestFrameTable = FrameTableMachine.TestCase
