"""The imports by which a connector keeps small values from one run to the next (docs/ABI.md §10)."""

from __future__ import annotations

from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.wasm.abi import MAX_METADATA_BYTES, MAX_STATE_VALUE_BYTES, Status
from rapidbyte.wasm.guarding import Refusals, guarded
from rapidbyte.wasm.memory import GuestMemory
from rapidbyte.wasm.ports import StatePort
from rapidbyte.wasm.state_names import StateName

_NO_VALUE = -1  # in the place of a length


class StateImports:
    """What one instance keeps, behind `port`. A guest that was told to stop gets no further answer from it."""

    def __init__(self, refusals: Refusals, port: StatePort) -> None:
        self.refusals = refusals
        self.memory: GuestMemory  # set once the instance exists, before any import can be called
        self._port = port

    @guarded
    def state_get(self, key: int, key_length: int, pointer: int, capacity: int) -> int:
        """Write as much of a value as fits, and give its length."""
        name = self._name(key, key_length)
        self.memory.view(pointer, capacity)
        stopped = self.refusals.interrupted()
        if stopped is not None:
            return stopped
        value = self._port.get(name)
        if value is None:
            raise InternalError(f"No value {name.name} is kept.", ErrorInfo("not_found"))
        self.memory.write_some(pointer, capacity, value)
        return len(value)

    @guarded
    def state_put(self, key: int, key_length: int, pointer: int, length: int) -> int:
        """Keep a value, whatever was there."""
        name, value = self._name(key, key_length), self._value(pointer, length & 0xFFFFFFFF)
        stopped = self.refusals.interrupted()
        if stopped is not None:
            return stopped
        self._port.put(name, value)
        return Status.OK

    @guarded
    def state_compare_and_swap(
        self, key: int, key_length: int, old: int, old_length: int, pointer: int, length: int
    ) -> int:
        """Keep or forget a value if what is kept is what the guest takes it for, and tell whether it was."""
        name = self._name(key, key_length)
        expected, value = self._optional(old, old_length), self._optional(pointer, length)
        stopped = self.refusals.interrupted()
        if stopped is not None:
            return stopped
        return int(self._port.compare_and_swap(name, expected, value))

    def _name(self, pointer: int, length: int) -> StateName:
        view = self.memory.view(pointer, length)
        if len(view) > MAX_METADATA_BYTES:
            raise _too_large("The name of a kept value", len(view), MAX_METADATA_BYTES)
        return StateName.parse(bytes(view))

    def _optional(self, pointer: int, length: int) -> bytes | None:
        if length == _NO_VALUE:
            return None
        if not 0 <= length <= 0xFFFFFFFF:
            raise InternalError(f"A kept value has the length {length}.", ErrorInfo("invalid_argument"))
        return self._value(pointer, length)

    def _value(self, pointer: int, length: int) -> bytes:
        view = self.memory.view(pointer, length)
        if length > MAX_STATE_VALUE_BYTES:
            raise _too_large("A kept value", length, MAX_STATE_VALUE_BYTES)
        return bytes(view)


def _too_large(what: str, size_bytes: int, most_bytes: int) -> InternalError:
    return InternalError(f"{what} has {size_bytes} bytes; at most {most_bytes} are taken.", ErrorInfo("too_large"))
