"""A TCP proxy before a server, which can cut a connection at a chosen answer: the client never sees that answer."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

COMMITTED = b"C\x00\x00\x00\x0bCOMMIT\x00"  # CommandComplete of COMMIT

_CHUNK_BYTES = 65536


class CuttingProxy:
    """Forwards connections to a server. Each `cut_at` kills the connection in which `answer` comes next, once."""

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._cuts: list[bytes] = []
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self.cuts_made = 0

    @property
    def port(self) -> int:
        """Where the proxy listens, on 127.0.0.1."""
        port: int = self._listener.getsockname()[1]
        return port

    def cut_at(self, answer: bytes) -> None:
        """Order a cut; an answer that was sent in two pieces is not seen."""
        with self._lock:
            self._cuts.append(answer)

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
            server = socket.create_connection(self._server)
            with self._lock:
                self._sockets |= {client, server}
            for ends in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._forward, args=ends)
                self._threads.append(thread)
                thread.start()

    def _forward(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK_BYTES):
                if is_answer and self._is_cut(data):
                    break
                target.sendall(data)
        _cut(source)
        _cut(target)

    def _is_cut(self, data: bytes) -> bool:
        with self._lock:
            for answer in self._cuts:
                if answer in data:
                    self._cuts.remove(answer)
                    self.cuts_made += 1
                    return True
        return False


def _cut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
