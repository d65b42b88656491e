"""The tables of the state in Postgres, and how an older schema becomes a newer one.

`state_format` counts the migrations the schema has been through. A migration is never edited, only followed.
"""

from __future__ import annotations

SCHEMA = "_rapidbyte_state"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        CREATE TABLE runs (
            rowid bigint GENERATED ALWAYS AS IDENTITY,
            run_id text PRIMARY KEY,
            pipeline text NOT NULL,
            status text NOT NULL,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            rows_read bigint,
            rows_written bigint,
            bytes_read bigint,
            error_category text,
            error_code text,
            error_message text
        )
        """,
        """
        CREATE TABLE run_streams (
            run_id text NOT NULL REFERENCES runs ON DELETE CASCADE,
            position integer NOT NULL,
            name text NOT NULL,
            rows_read bigint NOT NULL,
            rows_written bigint NOT NULL,
            bytes_read bigint NOT NULL,
            batches bigint NOT NULL,
            duration_s double precision NOT NULL,
            attempts integer NOT NULL,
            PRIMARY KEY (run_id, position)
        )
        """,
        "CREATE INDEX runs_by_start ON runs (started_at)",
        "CREATE INDEX runs_by_pipeline ON runs (pipeline, started_at)",
        """
        CREATE TABLE dead_letters (
            letter_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            fingerprint text UNIQUE,
            pipeline text NOT NULL,
            stream text NOT NULL,
            run_id text NOT NULL,
            stage text NOT NULL,
            category text NOT NULL,
            code text NOT NULL,
            reasons text NOT NULL,
            content text NOT NULL,
            raw bytea,
            position text,
            recorded_at timestamptz NOT NULL,
            replayed_at timestamptz
        )
        """,
        "CREATE INDEX dead_letters_by_stream ON dead_letters (pipeline, stream)",
        """
        CREATE TABLE connector_state (
            pipeline text NOT NULL,
            scope text NOT NULL,
            owner text NOT NULL,
            name text NOT NULL,
            content bytea NOT NULL,
            updated_at timestamptz NOT NULL,
            PRIMARY KEY (pipeline, scope, owner, name)
        )
        """,
    ),
    (
        "ALTER TABLE runs ADD COLUMN rows_rejected bigint",
        "ALTER TABLE run_streams ADD COLUMN rows_rejected bigint NOT NULL DEFAULT 0",
        """
        ALTER TABLE dead_letters
            DROP COLUMN fingerprint,
            DROP COLUMN position,
            ADD COLUMN unreadable text NOT NULL DEFAULT '[]',
            ADD COLUMN after_bytes bigint,
            ADD COLUMN base_run_id text,
            ADD COLUMN replay_id text
        """,
    ),
    (
        "ALTER TABLE runs ADD COLUMN rows_filtered bigint",
        """
        ALTER TABLE run_streams
            ADD COLUMN rows_filtered bigint NOT NULL DEFAULT 0,
            ADD COLUMN lanes bigint NOT NULL DEFAULT 1
        """,
    ),
)
VERSION = len(MIGRATIONS)
