"""The table whose changes are read, the changes, and the check that they arrived."""

from __future__ import annotations

import psycopg

from rapidbyte.model import WriteMode

CHANGES_OF_ONE = 1_000  # of a transaction
_SOURCE = "bench_source.changed"
_HALF = CHANGES_OF_ONE // 2
_ROW = "n, n % 1000, 'note ' || n || ' ' || md5(n::text), timestamptz '2020-01-01 00:00:00+00' + n * interval '1 s'"
_MAKE = f"""
    CREATE SCHEMA bench_source;
    CREATE TABLE {_SOURCE} (id bigint PRIMARY KEY, quantity int NOT NULL, note text, at timestamptz);
    INSERT INTO {_SOURCE} SELECT {_ROW} FROM generate_series(1, {_HALF}) AS n;
"""
# Each transaction adds rows, and changes one half of those of the last one, and removes the other.
_CHANGE = f"""
    DO $$
    DECLARE first bigint;
    BEGIN
        FOR number IN 1..{{}} LOOP
            SELECT max(id) + 1 INTO first FROM {_SOURCE};
            INSERT INTO {_SOURCE} SELECT {_ROW} FROM generate_series(first, first + {_HALF} - 1) AS n;
            UPDATE {_SOURCE} SET quantity = quantity + 1 WHERE id >= first - {_HALF} AND id < first - {_HALF // 2};
            DELETE FROM {_SOURCE} WHERE id >= first - {_HALF // 2} AND id < first;
            COMMIT;
        END LOOP;
    END $$
"""
_INSERT = f"""
    INSERT INTO {_SOURCE}
    SELECT {_ROW} FROM (SELECT max(id) AS last FROM {_SOURCE}) AS t, generate_series(last + 1, last + {{}}) AS n
"""


def make_source(session: psycopg.Connection) -> None:
    """Make the table."""
    session.execute(_MAKE.encode())


def change(session: psycopg.Connection, changes: int) -> None:
    """Make so many changes, in transactions of `CHANGES_OF_ONE`: half of them inserts, then updates and deletes."""
    session.execute(_CHANGE.format(changes // CHANGES_OF_ONE).encode())


def insert(session: psycopg.Connection, rows: int) -> None:
    """Insert so many rows in one transaction."""
    session.execute(_INSERT.format(rows).encode())


def check_destination(session: psycopg.Connection, mode: WriteMode, changes: int) -> None:
    """Make sure that a run that is to count has brought everything; `changes` were made since the tables were."""
    target = f"bench_{mode.value}.changed"
    if mode is WriteMode.APPEND:
        expected: object = (changes,)
        query = f"SELECT count(*) FROM {target} WHERE _rb_op <> 'snapshot'"
    else:
        sums = "SELECT count(*), sum(id), sum(quantity), sum(hashtext(note)) FROM {}"
        expected = session.execute(sums.format(_SOURCE).encode()).fetchone()
        query = sums.format(target)
    found = session.execute(query.encode()).fetchone()
    if found != expected:
        raise RuntimeError(f"A run of {mode.value} left {found} instead of {expected}; its time means nothing.")
