"""The tables of the state file, and how an older file becomes a newer one.

`PRAGMA user_version` counts the migrations a file has been through. A migration is never edited, only followed.
"""

from __future__ import annotations

import sqlite3

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE runs (
            run_id TEXT PRIMARY KEY,
            pipeline TEXT NOT NULL,
            status TEXT NOT NULL,
            started_at TEXT NOT NULL,
            finished_at TEXT,
            rows_read INTEGER,
            rows_written INTEGER,
            bytes_read INTEGER,
            error_category TEXT,
            error_code TEXT,
            error_message TEXT
        )
        """,
        """
        CREATE TABLE run_streams (
            run_id TEXT NOT NULL REFERENCES runs ON DELETE CASCADE,
            position INTEGER NOT NULL,
            name TEXT NOT NULL,
            rows_read INTEGER NOT NULL,
            rows_written INTEGER NOT NULL,
            bytes_read INTEGER NOT NULL,
            batches INTEGER NOT NULL,
            duration_s REAL NOT NULL,
            attempts INTEGER NOT NULL,
            PRIMARY KEY (run_id, position)
        ) WITHOUT ROWID
        """,
        "CREATE INDEX runs_by_start ON runs (started_at)",
        "CREATE INDEX runs_by_pipeline ON runs (pipeline, started_at)",
    ),
    (
        """
        CREATE TABLE dead_letters (
            letter_id INTEGER PRIMARY KEY AUTOINCREMENT,
            fingerprint TEXT UNIQUE,
            pipeline TEXT NOT NULL,
            stream TEXT NOT NULL,
            run_id TEXT NOT NULL,
            stage TEXT NOT NULL,
            category TEXT NOT NULL,
            code TEXT NOT NULL,
            reasons TEXT NOT NULL,
            content TEXT NOT NULL,
            raw BLOB,
            position TEXT,
            recorded_at TEXT NOT NULL,
            replayed_at TEXT
        )
        """,
        "CREATE INDEX dead_letters_by_stream ON dead_letters (pipeline, stream)",
        """
        CREATE TABLE connector_state (
            pipeline TEXT NOT NULL,
            scope TEXT NOT NULL,
            owner TEXT NOT NULL,
            name TEXT NOT NULL,
            content BLOB NOT NULL,
            updated_at TEXT NOT NULL,
            PRIMARY KEY (pipeline, scope, owner, name)
        ) WITHOUT ROWID
        """,
    ),
    (
        "ALTER TABLE runs ADD COLUMN rows_rejected INTEGER",
        "ALTER TABLE run_streams ADD COLUMN rows_rejected INTEGER NOT NULL DEFAULT 0",
        # SQLite drops no column that is unique.
        """
        CREATE TABLE letters (
            letter_id INTEGER PRIMARY KEY AUTOINCREMENT,
            pipeline TEXT NOT NULL,
            stream TEXT NOT NULL,
            run_id TEXT NOT NULL,
            stage TEXT NOT NULL,
            category TEXT NOT NULL,
            code TEXT NOT NULL,
            reasons TEXT NOT NULL,
            content TEXT NOT NULL,
            raw BLOB,
            unreadable TEXT NOT NULL DEFAULT '[]',
            after_bytes INTEGER,
            base_run_id TEXT,
            recorded_at TEXT NOT NULL,
            replay_id TEXT,
            replayed_at TEXT
        )
        """,
        """
        INSERT INTO letters (letter_id, pipeline, stream, run_id, stage, category, code, reasons, content, raw,
            recorded_at, replayed_at)
        SELECT letter_id, pipeline, stream, run_id, stage, category, code, reasons, content, raw,
            recorded_at, replayed_at
        FROM dead_letters
        """,
        "DROP TABLE dead_letters",
        "ALTER TABLE letters RENAME TO dead_letters",
        "CREATE INDEX dead_letters_by_stream ON dead_letters (pipeline, stream)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN rows_filtered INTEGER",
        "ALTER TABLE run_streams ADD COLUMN rows_filtered INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE run_streams ADD COLUMN lanes INTEGER NOT NULL DEFAULT 1",
    ),
)
VERSION = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return how many migrations the file has been through."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the file to VERSION in one transaction; another process that does the same is waited for."""
    if version_of(connection) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for number in range(version_of(connection), VERSION):
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
