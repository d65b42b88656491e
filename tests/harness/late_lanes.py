"""Lanes that join the snapshot of others late: a proxy keeps their word back from the server until a test has acted."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.proxy import FaultyProxy
from harness.waiting import PATIENCE_S
from rapidbyte.embedded import ServerAddress

_JOINS = b"SET TRANSACTION SNAPSHOT"
_TAKES = b"BEGIN ISOLATION LEVEL"  # in the same words as the above by the lane that takes the snapshot of first copies


@dataclass(frozen=True)
class Late:
    """The way of a run to the server, whether a lane is about to join, and whether it may."""

    variables: Mapping[str, str]
    has_come: threading.Event = field(default_factory=threading.Event)
    may_go: threading.Event = field(default_factory=threading.Event)


@contextmanager
def joining_late(server: ServerAddress) -> Iterator[Late]:
    """Have lanes whose server is reached as the variables say wait to join; at the end of the block all may go."""

    def delay(piece: bytes, is_answer: bool) -> None:
        if not is_answer and _JOINS in piece and _TAKES not in piece:
            late.has_come.set()
            late.may_go.wait(PATIENCE_S)

    with FaultyProxy(server.host, server.port, delay) as proxy:
        late = Late({"PGHOST": "127.0.0.1", "PGPORT": str(proxy.port)})
        try:
            yield late
        finally:
            late.may_go.set()
