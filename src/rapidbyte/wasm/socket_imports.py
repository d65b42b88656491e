"""The imports for sockets (docs/ABI.md §7)."""

from __future__ import annotations

import struct

from rapidbyte.errors import ErrorInfo, NetworkError
from rapidbyte.net import Interest, SocketTable
from rapidbyte.net.connect import Connector
from rapidbyte.net.sockets import Watch
from rapidbyte.wasm.abi import WAIT_RECORD_BYTES, Status
from rapidbyte.wasm.activity import Activity
from rapidbyte.wasm.guarding import Refusals, guarded
from rapidbyte.wasm.memory import GuestMemory
from rapidbyte.wasm.tls_request import read_tls_request, texts_of

_RECORD = struct.Struct("<qII")
_READY_OFFSET = 12
_MAX_WATCHES = 1024
_ANY_INTEREST = int(Interest.READABLE | Interest.WRITABLE)


class SocketImports:
    """The sockets of one instance."""

    def __init__(self, refusals: Refusals, sockets: SocketTable, connector: Connector, activity: Activity) -> None:
        self.refusals = refusals
        self.sockets = sockets
        self.memory: GuestMemory  # set once the instance exists, before any import can be called
        self._connector = connector
        self._activity = activity
        self._texts_of_config: frozenset[str] = frozenset()

    def take_config(self, config: object) -> None:
        """Let the connector use the files that its config names."""
        self._texts_of_config = frozenset(texts_of(config))

    @guarded
    def sock_connect(self, host_pointer: int, host_length: int, port: int, timeout_ms: int) -> int:
        """Connect, under the permissions."""
        host = _host_of(self.memory.read(host_pointer, host_length))
        if not 0 <= port <= 65535 or timeout_ms < 0:
            raise _invalid(f"A connection to port {port} within {timeout_ms} ms cannot be made.")
        self.sockets.require_room()
        status = self.refusals.interrupted()
        if status is not None:
            return status
        handle = self.sockets.add(self._connector.connect(host, port, timeout_ms / 1000))
        self._activity.beat()
        return handle

    @guarded
    def sock_read(self, sock: int, pointer: int, length: int) -> int:
        """Read what is there into guest memory."""
        count = self.sockets.read(sock, self.memory.view(pointer, length))
        if count is None:
            return Status.WOULD_BLOCK
        self._activity.beat()
        return count

    @guarded
    def sock_write(self, sock: int, pointer: int, length: int) -> int:
        """Write guest memory as far as the system takes it."""
        count = self.sockets.write(sock, self.memory.view(pointer, length))
        if count is None:
            return Status.WOULD_BLOCK
        self._activity.beat()
        return count

    @guarded
    def sock_wait(self, pointer: int, count: int, timeout_ms: int) -> int:
        """Sleep until a socket is ready; 0 when the time is over."""
        if not 0 <= count <= _MAX_WATCHES:
            raise _invalid(f"A wait for {count} sockets was asked for; at most {_MAX_WATCHES} can be.")
        records = self.memory.view(pointer, count * WAIT_RECORD_BYTES)
        watches = [_watch_of(record) for record in _RECORD.iter_unpack(records)]
        ready = self.sockets.wait(watches, None if timeout_ms < 0 else timeout_ms / 1000)
        status = self.refusals.interrupted()
        if status is not None:
            return status
        for position, interest in enumerate(ready):
            struct.pack_into("<I", records, position * WAIT_RECORD_BYTES + _READY_OFFSET, interest)
        return sum(1 for interest in ready if interest)

    @guarded
    def sock_start_tls(self, sock: int, pointer: int, length: int, timeout_ms: int) -> int:
        """Shake hands, and move the socket's bytes under TLS from then on."""
        options = read_tls_request(self.memory.read(pointer, length), self._texts_of_config)
        if timeout_ms < 0:
            raise _invalid(f"A TLS handshake within {timeout_ms} ms cannot be made.")
        status = self.refusals.interrupted()
        if status is not None:
            return status
        self.sockets.start_tls(sock, options, timeout_ms / 1000)
        self._activity.beat()
        return Status.OK

    @guarded
    def sock_tls_end_point(self, sock: int, pointer: int, capacity: int) -> int:
        """Give the channel binding of the server's certificate; 0 bytes where there is none."""
        binding = self.sockets.tls_end_point(sock)
        if len(binding) > capacity:
            raise NetworkError(f"A channel binding has {len(binding)} bytes.", ErrorInfo("too_large"))
        self.memory.view(pointer, len(binding))[:] = binding
        return len(binding)

    @guarded
    def sock_close(self, sock: int) -> int:
        """Close a socket."""
        self.sockets.close_one(sock)
        return Status.OK


def _watch_of(record: tuple[int, int, int]) -> Watch:
    handle, interest, _ = record
    if interest > _ANY_INTEREST:
        raise _invalid(f"A wait for the unknown interest {interest:#x} was asked for.")
    return Watch(handle, Interest(interest))


def _host_of(name: bytes) -> str:
    try:
        host = name.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _invalid("A host name that is not UTF-8 was passed.") from error
    if not host or "\0" in host:
        raise _invalid("An empty host name, or one with a zero byte, was passed.")
    return host


def _invalid(message: str) -> NetworkError:
    return NetworkError(message, ErrorInfo("invalid_argument"))
