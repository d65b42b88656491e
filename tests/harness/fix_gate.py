"""A fixture that holds readers of a table at its rows until a test has seen what it waits for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_tables import Ask
from harness.names import SchemaPair
from harness.oracle import TableName
from harness.waiting import PATIENCE_S
from rapidbyte.embedded import ServerAddress

_POLL_S = 0.02
_EVERY = 400  # rows: few enough that each part of a table has one of them
_INDEX = """
    SELECT indexrelid, indexrelid::regclass::text FROM pg_index JOIN pg_class ON reltoastrelid = indrelid
    WHERE pg_class.oid = %s::regclass
"""
_WAITING = "SELECT {} FROM pg_locks WHERE relation = %s AND NOT granted"


@dataclass
class Gate:
    """A gate before a table: while it is closed, each session that reads the table waits soon.

    Some rows of the table have a value that is kept apart, and the way to it is locked. `actions` may not touch these.
    """

    session: psycopg.Connection
    closer: psycopg.Connection
    index: int
    index_name: str
    is_closed: bool = False
    actions: list[Callable[[], object]] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many sessions stand before it."""
        count: int = self._of_waiting("count(*)")
        return count

    def close(self) -> None:
        """Let nobody through."""
        self.closer.execute(f"REINDEX INDEX {self.index_name}".encode())
        self.is_closed = True

    def open(self) -> None:
        """Let everybody through, from now on."""
        self.closer.rollback()
        self.is_closed = False

    def end_one(self, which: str) -> None:
        """End the session with the `min` or `max` process id of those before it."""
        assert self._of_waiting(f"pg_terminate_backend({which}(pid))") is True

    @contextmanager
    def opening(self, readers: int) -> Iterator[None]:
        """Close it, and open it beside the block once so many sessions stand before it; at the latest at its end."""
        is_over = threading.Event()

        def watch() -> None:
            while self.waiting < readers and not is_over.wait(_POLL_S):
                pass
            self.open()

        self.close()
        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def opened_by(self, readers: int) -> Callable[[rapidbyte.Event], None]:
        """Close it; return a listener that does the `actions` and opens it once so many sessions stand before it.

        The listener fails when they do not come.
        """
        self.close()
        deadline = time.monotonic() + PATIENCE_S

        def listen(event: rapidbyte.Event) -> None:
            if not isinstance(event, rapidbyte.StreamProgress) or not self.is_closed:
                return
            if (count := self.waiting) >= readers:
                for act in self.actions:
                    act()
                self.open()
            else:
                assert time.monotonic() < deadline, f"gave up waiting: {count} of {readers} sessions are at the gate"

        return listen

    def _of_waiting(self, what: str) -> Any:
        row = self.session.execute(_WAITING.format(what).encode(), (self.index,)).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def make_gate(
    server: ServerAddress, session: psycopg.Connection, schemas: SchemaPair, ask: Ask
) -> Iterator[Callable[[str], Gate]]:
    """Put a gate before a table of the source that has numbers as `id`; it is open at first."""

    def make(table: str) -> Gate:
        name = sql.Identifier(schemas.source, table).as_string()
        ask("ALTER TABLE {s}." + table + " ADD gate text, ALTER gate SET STORAGE EXTERNAL")
        ask("UPDATE {s}." + table + f" SET gate = repeat('x', 3000) WHERE id % {_EVERY} = 0")
        ask("VACUUM FULL {s}." + table)
        row = session.execute(_INDEX, (name,)).fetchone()
        assert row is not None
        return Gate(session, closer, *row)

    with psycopg.connect(server.dsn()) as closer:
        yield make
        closer.rollback()


@pytest.fixture
def gate(large: tuple[TableName, TableName], make_gate: Callable[[str], Gate]) -> Gate:
    """A gate before the first of the tables `large`, which the file of tests makes."""
    return make_gate(large[0].name)
