"""What can be wrong with a table that is written to, as data for tests/e2e/test_bad_databases.py."""

from __future__ import annotations

from harness.bad_input import MAY_CREATE, TARGET, USERS, BadDatabase
from rapidbyte.errors import DataError, PermissionDeniedError, SchemaError

_POLICY = (
    "ALTER TABLE {dst}.users ENABLE ROW LEVEL SECURITY; "
    "CREATE POLICY few ON {dst}.users USING (true) WITH CHECK (id < 2); GRANT SELECT, INSERT ON {dst}.users TO {role}"
)

TARGETS = (
    BadDatabase(
        "view in the place of the target",
        SchemaError,
        "not_a_table",
        ("rename it",),
        TARGET + "CREATE VIEW {dst}.users AS SELECT 1",
    ),
    BadDatabase(
        "type of the target's column",
        SchemaError,
        "type_mismatch",
        ("Column id", "alter one of them"),
        TARGET + USERS + "ALTER TABLE {dst}.users DROP id, ADD id date",
    ),
    BadDatabase(
        "further column of the target that needs a value",
        SchemaError,
        "column_required",
        ("tenant", "give it one, or drop the constraint"),
        TARGET + USERS + "ALTER TABLE {dst}.users ADD tenant text NOT NULL",
    ),
    BadDatabase(
        "NULL for a column without",
        DataError,
        "23502",
        ("email", "hint: a column of the destination allows no NULL"),
        TARGET + USERS + "ALTER TABLE {dst}.users ALTER email SET NOT NULL",
    ),
    BadDatabase(
        "value that a check refuses",
        DataError,
        "23514",
        ("short", "hint: change the row at the source"),
        TARGET + USERS + "ALTER TABLE {dst}.users ADD CONSTRAINT short CHECK (length(name) < 4)",
    ),
    BadDatabase(
        "key that is there already",
        DataError,
        "23505",
        ("hint: append only adds rows",),
        TARGET + USERS + "ALTER TABLE {dst}.users ADD PRIMARY KEY (id); INSERT INTO {dst}.users VALUES (2)",
    ),
    BadDatabase(
        "parent that is missing",
        DataError,
        "23503",
        ("parents", "hint: move the table"),
        TARGET + USERS + "CREATE TABLE {dst}.parents (id integer PRIMARY KEY); "
        "ALTER TABLE {dst}.users ADD FOREIGN KEY (id) REFERENCES {dst}.parents",
    ),
    BadDatabase(
        "trigger that refuses",
        DataError,
        "P0001",
        ("closed for today", "hint: a function or trigger of the server"),
        TARGET + USERS + "CREATE FUNCTION {dst}.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'closed for today'; END $$; "
        "CREATE TRIGGER t BEFORE INSERT ON {dst}.users FOR EACH ROW EXECUTE FUNCTION {dst}.refuse()",
    ),
    BadDatabase(
        "partition for a row",
        DataError,
        "23514",
        ("no partition", "hint: change the row"),
        TARGET + "CREATE TABLE {dst}.users (id integer, name text, email text, created_at timestamptz) "
        "PARTITION BY RANGE (id); CREATE TABLE {dst}.users_1 PARTITION OF {dst}.users FOR VALUES FROM (1) TO (3)",
    ),
    BadDatabase(
        "trigger that drops rows",
        DataError,
        "rows_dropped",
        ("stored 0 rows of 3", "trigger"),
        TARGET + USERS + "CREATE FUNCTION {dst}.drop() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER t BEFORE INSERT ON {dst}.users FOR EACH ROW EXECUTE FUNCTION {dst}.drop()",
    ),
    BadDatabase(
        "schema of the system as the target",
        PermissionDeniedError,
        "42501",
        ("pg_catalog", "hint: ask the owner"),
        destination={"schema": "pg_catalog"},
    ),
    BadDatabase(
        "COPY into a table with row policies",
        SchemaError,
        "0A000",
        ("row-level security", "hint: where row-level security forbids COPY, set `load_method`"),
        MAY_CREATE + TARGET + USERS + _POLICY,
        as_role=("destination",),
    ),
    BadDatabase(
        "row policy of the target",
        PermissionDeniedError,
        "42501",
        ("violates row-level security policy", "hint: ask the owner"),
        MAY_CREATE + TARGET + USERS + _POLICY,
        destination={"load_method": "insert"},
        as_role=("destination",),
    ),
    BadDatabase(
        "destination that is read only",
        PermissionDeniedError,
        "25006",
        ("hint: the server accepts no writes",),
        "ALTER ROLE {role} SET default_transaction_read_only = on; " + MAY_CREATE,
        as_role=("destination",),
    ),
)
