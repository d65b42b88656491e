"""A TCP proxy before a server that fails as networks do: it cuts, stalls, slows, closes one way, or takes nobody.

A fault is ordered, and strikes the first connection that comes to its place: once, or each time until it is withdrawn.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Self

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # CommandComplete of COMMIT

_CHUNK_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing drops what is unsent, and tells the peer so


class Effect(Enum):
    """What becomes of the connection that a fault strikes."""

    CUT = "cut"  # both directions end
    RESET = "reset"  # the client is told that the connection broke
    HALF_CLOSED = "half closed"  # the client reads an end, and may still write
    STALLED = "stalled"  # no answer comes any more, and nothing ends


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes before the answers' byte number `after_bytes`, or at the `answer`, which then does not reach the client.

    An answer that was sent in two pieces is not seen.
    """

    effect: Effect
    after_bytes: int = 0
    answer: bytes = b""
    is_lasting: bool = False


class FaultyProxy:
    """Forwards connections to a server. `struck` counts the faults that came to pass.

    A `listener` gets each piece before it is forwarded, and whether it is one of the answers, on any thread.
    """

    def __init__(self, host: str, port: int, listener: Callable[[bytes, bool], None] | None = None) -> None:
        self._server = (host, port)
        self._tell_piece = listener
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._resetting: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._ended = threading.Event()
        self._pause_s = 0.0
        self._piece_bytes = _CHUNK_BYTES
        self.struck = 0

    @property
    def port(self) -> int:
        """Where the proxy listens, on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def order(self, fault: Fault) -> None:
        """Have a fault strike."""
        with self._lock:
            self._faults.append(fault)

    def mend(self) -> None:
        """Withdraw all faults; what they struck stays as it is."""
        with self._lock:
            self._faults.clear()

    def slow_down(self, piece_bytes: int, pause_s: float) -> None:
        """From now on, forward no more than `piece_bytes` at once, and wait before each piece."""
        self._piece_bytes, self._pause_s = piece_bytes, pause_s

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for end in self._sockets:
                _cut(end)
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server)
            except OSError:  # the server does not run: so it is for the client
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            with self._lock:
                self._sockets |= {client, server}
            for target, ends in ((self._forward, (client, server)), (self._answer, (server, client))):
                thread = threading.Thread(target=target, args=ends)
                self._threads.append(thread)
                thread.start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(self._piece_bytes):
                self._tell(data, is_answer=False)
                time.sleep(self._pause_s)
                server.sendall(data)
        _cut(server)
        with self._lock:
            if client not in self._resetting:
                _cut(client)
            self._sockets.discard(client)
            client.close()  # else who still writes would wait, for nobody reads

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        sent = 0
        fault: Fault | None = None
        with suppress(OSError):
            while fault is None and (data := server.recv(self._piece_bytes)):
                time.sleep(self._pause_s)
                self._tell(data, is_answer=True)
                fault, passed = self._struck(data, sent)
                client.sendall(data[:passed])
                sent += passed
        if fault is not None and fault.effect is Effect.STALLED:
            self._ended.wait()
        elif fault is not None and fault.effect is Effect.HALF_CLOSED:
            with suppress(OSError):
                client.shutdown(socket.SHUT_WR)
            self._ended.wait()
        if fault is not None and fault.effect is Effect.RESET:
            self._reset(client)
        else:
            _cut(client)
        _cut(server)

    def _tell(self, data: bytes, *, is_answer: bool) -> None:
        if self._tell_piece is not None:
            self._tell_piece(data, is_answer)

    def _reset(self, client: socket.socket) -> None:
        """Have the thread that reads from the client close it: nobody else may, while it reads."""
        with self._lock:
            self._resetting.add(client)
        with suppress(OSError):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            client.shutdown(socket.SHUT_RD)

    def _struck(self, data: bytes, sent: int) -> tuple[Fault | None, int]:
        """Return the fault that strikes within `data`, and how much of it passes first."""
        with self._lock:
            for fault in self._faults:
                is_there = fault.answer in data if fault.answer else sent + len(data) > fault.after_bytes
                if is_there:
                    if not fault.is_lasting:
                        self._faults.remove(fault)
                    self.struck += 1
                    return fault, 0 if fault.answer else fault.after_bytes - sent
        return None, len(data)


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
