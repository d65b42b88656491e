"""Sessions that write whatever the database takes of them, as the source of changes that are applied elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

import psycopg

# In which schema, and whether its codes are unique.
TABLES = """
    CREATE TABLE {0}.node (id int PRIMARY KEY, code text {1}, note text, big text, wide text);
    ALTER TABLE {0}.node ALTER big SET STORAGE EXTERNAL, ALTER wide SET STORAGE EXTERNAL;
    CREATE TABLE {0}.leaf (
        id int PRIMARY KEY, node int REFERENCES {0}.node ON DELETE CASCADE ON UPDATE CASCADE, big text
    );
    ALTER TABLE {0}.leaf ALTER big SET STORAGE EXTERNAL;
"""
# What is done to rows `a` and `b` of these; `c` tells one change from another.
STATEMENTS = {
    "insert": "INSERT INTO node VALUES ({a}, '{b}', 'n{c}', repeat('{c} ', 2000), repeat('-{c}', 2000))",
    "note": "UPDATE node SET note = 'n{c}' WHERE id = {a}",
    "all": "UPDATE node SET note = left('{c} ' || note, 100)",
    "big": "UPDATE node SET big = repeat('{c} ', 2000) WHERE id = {a}",
    "wide": "UPDATE node SET wide = NULLIF(repeat('-{c}', 2000 * ({b} % 2)), '') WHERE id = {a}",
    "code": "UPDATE node SET code = NULLIF('{b}', '0') WHERE id = {a}",
    "move": "UPDATE node SET id = {b} WHERE id = {a}",
    "move and note": "UPDATE node SET id = {b}, note = 'n{c}' WHERE id = {a}",
    "swap": "UPDATE node SET id = -1 WHERE id = {a}; UPDATE node SET id = {a} WHERE id = {b}; "
    "UPDATE node SET id = {b} WHERE id = -1",
    "delete": "DELETE FROM node WHERE id = {a}",
    "truncate": "TRUNCATE node CASCADE",
    "leaf": "INSERT INTO leaf VALUES ({a}, {b}, repeat('{c} ', 2000))",
    "hang": "UPDATE leaf SET node = NULLIF({b}, 0) WHERE id = {a}",
    "leaf moves": "UPDATE leaf SET id = {b} WHERE id = {a}",
    "leaf goes": "DELETE FROM leaf WHERE id = {a}",
    "leaves go": "TRUNCATE leaf",
}
CONTROL = ("begin", "commit", "rollback", "savepoint", "back")

_NOT_TAKEN = (
    psycopg.IntegrityError,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,  # a row that another session moved to another partition
)
_PAUSE_S = 0.02
_STEPS_OF_ONE = 10_000_000  # more than a writer makes, so that no two of them write the same


@dataclass
class Writer:
    """A session that writes; what the database does not take of it leaves nothing."""

    session: psycopg.Connection
    step: int = 0
    has_savepoint: bool = False

    @property
    def is_inside(self) -> bool:
        """Whether a transaction is open."""
        return self.session.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE

    def control(self, kind: str) -> None:
        """Begin and end transactions, as far as that can be done now."""
        if kind == "begin" and not self.is_inside:
            self.session.execute("BEGIN")
            self.has_savepoint = False
        elif kind in ("commit", "rollback") and self.is_inside:
            self.session.execute("COMMIT" if kind == "commit" else "ROLLBACK")
        elif kind == "savepoint" and self.is_inside:
            self.session.execute("SAVEPOINT kept")
            self.has_savepoint = True
        elif kind == "back" and self.is_inside and self.has_savepoint:
            self.session.execute("ROLLBACK TO SAVEPOINT kept")

    def change(self, statement: str, first: int, second: int) -> None:
        """Change rows, all or none."""
        self.step += 1
        filled = statement.format(a=first, b=second, c=self.step)
        with_care = f"SAVEPOINT change; {filled}; RELEASE SAVEPOINT change" if self.is_inside else filled
        try:
            self.session.execute(with_care.encode())
        except _NOT_TAKEN:
            if self.is_inside:
                self.session.execute("ROLLBACK TO SAVEPOINT change")


@contextmanager
def writing(dsn: str, seed: str, count: int, statements: Sequence[str], rows: int) -> Iterator[None]:
    """Have so many sessions write beside the block: `statements` on rows below `rows`, in transactions and without.

    What each of them does follows from the seed; how they mix does not.
    """
    is_over = threading.Event()
    with ThreadPoolExecutor(count) as pool:
        writers = [
            pool.submit(_write, dsn, Random(f"{seed}/{number}"), number * _STEPS_OF_ONE, statements, rows, is_over)
            for number in range(count)
        ]
        try:
            yield
        finally:
            is_over.set()
        for writer in writers:
            writer.result()


def _write(
    dsn: str, choose: Random, first_step: int, statements: Sequence[str], rows: int, is_over: threading.Event
) -> None:
    with psycopg.connect(dsn, autocommit=True) as session:
        session.execute("SET lock_timeout = '200ms'")
        writer = Writer(session, first_step)
        while not is_over.wait(choose.random() * _PAUSE_S):
            if choose.random() < 0.3:
                writer.control(choose.choice(CONTROL))
            else:
                writer.change(choose.choice(statements), choose.randrange(rows), choose.randrange(rows))
        writer.control("commit")
