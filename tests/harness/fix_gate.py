"""A fixture that holds readers of a table at its rows until a test has seen what it waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.fix_tables import Ask
from harness.names import SchemaPair

_PASSWORD = "of-one-test"
_POLL_S = 0.02
_WAITING = """
    SELECT {} FROM pg_locks
    WHERE locktype = 'advisory' AND NOT granted AND (classid::bigint << 32) + objid::bigint = %s
"""


@dataclass
class Gate:
    """A closed gate: each session of the user `role` that reads the table waits at its first row.

    `variables` make a pipeline connect as this user.
    """

    session: psycopg.Connection
    key: int
    role: str
    variables: Mapping[str, str]
    is_closed: bool = True
    actions: list[Callable[[], object]] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """How many sessions stand before it."""
        count: int = self._of_waiting("count(*)")
        return count

    def end_one(self, which: str) -> None:
        """End the session with the `min` or `max` process id of those before it."""
        assert self._of_waiting(f"pg_terminate_backend({which}(pid))") is True

    def open(self) -> None:
        """Let everybody through, from now on."""
        self.session.execute("SELECT pg_advisory_unlock(%s)", (self.key,))
        self.is_closed = False

    def _of_waiting(self, what: str) -> Any:
        row = self.session.execute(_WAITING.format(what).encode(), (self.key,)).fetchone()
        assert row is not None
        return row[0]

    @contextmanager
    def opening(self, readers: int) -> Iterator[None]:
        """Open, beside what the block does, once so many sessions stand before it; at the latest at its end."""
        is_over = threading.Event()

        def watch() -> None:
            while self.waiting != readers and not is_over.wait(_POLL_S):
                pass
            self.open()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def opened_by(self, readers: int) -> Callable[[rapidbyte.Event], None]:
        """Return a listener that does the `actions` and opens the gate once so many sessions stand before it."""

        def listen(event: rapidbyte.Event) -> None:
            if isinstance(event, rapidbyte.StreamProgress) and self.is_closed and self.waiting == readers:
                for act in self.actions:
                    act()
                self.open()

        return listen


@pytest.fixture
def make_gate(
    owner_session: psycopg.Connection, session: psycopg.Connection, schemas: SchemaPair, ask: Ask
) -> Iterator[Callable[[str], Gate]]:
    """Put a gate before a table of the source: a policy that waits, and a user whom policies bind."""
    name = f"gat{schemas.source.removeprefix('src')}"
    role = sql.Identifier(name)
    owner_session.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE CURRENT_USER").format(role, sql.Literal(_PASSWORD))
    )

    def make(table: str) -> Gate:
        row = session.execute("SELECT hashtext(%s)::bigint & 2147483647", (schemas.source,)).fetchone()
        assert row is not None
        key: int = row[0]
        ask(
            "CREATE FUNCTION {s}.pass() RETURNS boolean LANGUAGE plpgsql AS "
            f"$$ BEGIN PERFORM pg_advisory_xact_lock_shared({key}); RETURN true; END $$"
        )
        ask("CREATE POLICY gate ON {s}." + table + " USING ({s}.pass())")
        ask("ALTER TABLE {s}." + table + " ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        session.execute("SELECT pg_advisory_lock(%s)", (key,))
        return Gate(session, key, name, {"PGUSER": name, "PGPASSWORD": _PASSWORD})

    yield make
    owner_session.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(role))
    owner_session.execute(sql.SQL("DROP OWNED BY {}").format(role))
    owner_session.execute(sql.SQL("DROP ROLE {}").format(role))
