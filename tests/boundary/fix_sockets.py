"""The sockets of one instance, as the imports use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rapidbyte.net import HostRules, Interrupt, SocketTable
from rapidbyte.net.connect import Connector

_TIMEOUT_S = 10.0


@pytest.fixture
def interrupt() -> Iterator[Interrupt]:
    with Interrupt() as interrupt:
        yield interrupt


@pytest.fixture
def table(interrupt: Interrupt) -> Iterator[SocketTable]:
    table = SocketTable(interrupt)
    yield table
    table.close()


@pytest.fixture
def connect(table: SocketTable, interrupt: Interrupt) -> Callable[[int], int]:
    connector = Connector(HostRules.of(("*",)), interrupt)
    return lambda port: table.add(connector.connect("127.0.0.1", port, _TIMEOUT_S))
