"""What stays behind: in the catalogs of the shared server, among the processes, and in the folders."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from flake_hunt.ground import Ground
from flake_hunt.processes import Running, processes_of

# The schema of receipts and its table stay, by intent: what a test leaves in them does not.
_CATALOGS = """
    SELECT 'schema', nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\\_%' AND nspname <> '_rapidbyte'
    UNION ALL SELECT 'database', datname FROM pg_database
    UNION ALL SELECT 'role', rolname FROM pg_roles
    UNION ALL SELECT 'slot', slot_name FROM pg_replication_slots
    UNION ALL SELECT 'publication', pubname FROM pg_publication
    UNION ALL SELECT 'prepared transaction', gid FROM pg_prepared_xacts
    UNION ALL SELECT 'advisory lock', format('%s %s', classid, objid) FROM pg_locks
        WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
    UNION ALL SELECT 'session', format('%s: %s', application_name, query) FROM pg_stat_activity
        WHERE backend_type IN ('client backend', 'walsender') AND pid <> pg_backend_pid()
    UNION ALL SELECT 'table of ours', relname FROM pg_class
        WHERE relnamespace = to_regnamespace('_rapidbyte') AND relkind = 'r' AND relname <> 'receipts'
"""
_RECEIPTS = "SELECT 'receipt', format('%s of %s', target_table, target_schema) FROM _rapidbyte.receipts"
_HAS_RECEIPTS = "SELECT to_regclass('_rapidbyte.receipts') IS NOT NULL"
# Machine code of connectors, and the leases of servers, are there for the next run.
_KEPT = (".cwasm", ".sha256", "lock", "current")
_CHECKOUT = ("examples", "fixtures", "src", "tests")
_BYTECODE = "__pycache__"
_POLL_S = 0.1


@dataclass(frozen=True, slots=True, order=True)
class Trace:
    """Something that is there: of which kind, and what it is called."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Field:
    """Where traces are looked for. The processes that were there at first, and theirs, are the server's."""

    root: Path
    ground: Ground
    session: psycopg.Connection
    servers: frozenset[Running]
    patience_s: float

    def left_since(self, earlier: frozenset[Trace]) -> frozenset[Trace]:
        """Return what was not there earlier, once it has had time to go: servers stop after those who used them."""
        deadline = time.monotonic() + self.patience_s
        while (left := self.traces() - earlier) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return left

    def traces(self) -> frozenset[Trace]:
        """Return all that is there now."""
        processes = (Trace("process", f"{each.pid}: {each.command}") for each in self.strangers())
        return frozenset((*self._in_catalogs(), *processes, *self._files()))

    def strangers(self) -> tuple[Running, ...]:
        """Return the processes that are not the server's."""
        parents = {process.pid: process.parent for process in processes_of(self.ground.folder) | self.servers}
        known = {process.pid for process in self.servers}
        return tuple(
            process
            for process in processes_of(self.ground.folder)
            if not known & {process.pid, *_ancestors(process.pid, parents)}
        )

    def _in_catalogs(self) -> Iterator[Trace]:
        rows = self.session.execute(_CATALOGS).fetchall()
        if self.session.execute(_HAS_RECEIPTS).fetchone() == (True,):
            rows += self.session.execute(_RECEIPTS).fetchall()
        return (Trace(kind, name) for kind, name in rows)

    def _files(self) -> Iterator[Trace]:
        for folder in (self.ground.temporary, self.ground.home, self.ground.work):
            yield from (Trace("file", str(path)) for path in folder.iterdir())
        for path in self.ground.cache.rglob("*"):
            if path.is_file() and not path.name.endswith(_KEPT):
                yield Trace("file", str(path))
        for part in _CHECKOUT:
            yield from (
                Trace("file", str(path)) for path in (self.root / part).rglob("*") if _BYTECODE not in str(path)
            )


def _ancestors(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while (parent := parents.get(pid)) is not None:
        yield parent
        pid = parent
