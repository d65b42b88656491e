"""The imports by which a guest speaks and asks what went wrong, and the two of WASI that the host replaces."""

from __future__ import annotations

import struct
from collections.abc import Callable

from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.wasm.abi import MAX_LOG_BYTES, Level, Status, WasiErrno
from rapidbyte.wasm.guarding import Refusals, guarded
from rapidbyte.wasm.memory import GuestMemory

_LEVELS = frozenset(int(level) for level in Level)
_STANDARD_OUTPUT = 1
_STANDARD_ERROR = 2
_MAX_PIECES = 1024
_KEPT_STDERR_BYTES = 1024
_PIECE = struct.Struct("<II")


class ReportImports:
    """What one instance says: log lines go to `on_log`, the last bytes of standard error are kept for a crash."""

    def __init__(self, refusals: Refusals, on_log: Callable[[Level, str], None]) -> None:
        self.refusals = refusals
        self.memory: GuestMemory  # set once the instance exists, before any import can be called
        self.last_stderr = b""
        self._on_log = on_log

    @guarded
    def last_error(self, pointer: int, capacity: int) -> int:
        """Write the message of the last refusal."""
        message = self.refusals.message.encode("utf-8")
        self.memory.write_some(pointer, capacity, message)
        return len(message)

    @guarded
    def log(self, level: int, pointer: int, length: int) -> int:
        """Pass a log line on."""
        view = self.memory.view(pointer, length)
        if level not in _LEVELS:
            raise InternalError(f"A log line has the unknown level {level}.", ErrorInfo("invalid_argument"))
        self._on_log(Level(level), bytes(view[:MAX_LOG_BYTES]).decode("utf-8", errors="replace"))
        return Status.OK

    def poll_oneoff(self, _subscriptions: int, _events: int, _count: int, _stored: int) -> int:
        """Refuse WASI's sleep, which the host could not interrupt."""
        return WasiErrno.NOTSUP

    def fd_write(self, descriptor: int, pieces: int, count: int, written: int) -> int:
        """Swallow what goes to standard output and error: a crash's reason is the only thing worth keeping of it."""
        if descriptor not in (_STANDARD_OUTPUT, _STANDARD_ERROR):
            return WasiErrno.BADF
        try:
            return self._swallow(descriptor, pieces, min(count & 0xFFFFFFFF, _MAX_PIECES), written)
        except InternalError:
            return WasiErrno.FAULT

    def _swallow(self, descriptor: int, pieces: int, count: int, written: int) -> int:
        total = 0
        for pointer, length in _PIECE.iter_unpack(self.memory.read(pieces, count * _PIECE.size)):
            view = self.memory.view(pointer, length)
            total += length
            if descriptor == _STANDARD_ERROR:
                self.last_stderr = (self.last_stderr + bytes(view[-_KEPT_STDERR_BYTES:]))[-_KEPT_STDERR_BYTES:]
        self.memory.view(written, 4)[:] = struct.pack("<I", total & 0xFFFFFFFF)
        return WasiErrno.SUCCESS
