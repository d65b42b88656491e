"""The privileges that a user may lack, as data for tests/e2e/test_bad_databases.py."""

from __future__ import annotations

from harness.bad_input import MAY_CREATE, READER, TARGET, USERS, BadDatabase
from rapidbyte.errors import PermissionDeniedError

_MAY_LOOK = "GRANT USAGE ON SCHEMA {src} TO {role}; "
_GRANT = "hint: ask the owner of the database to GRANT"

PRIVILEGES = (
    BadDatabase("USAGE on the schema", PermissionDeniedError, "42501", ("{src}", _GRANT), as_role=("source",)),
    BadDatabase(
        "SELECT on the table",
        PermissionDeniedError,
        "42501",
        ("GRANT SELECT ON shop.users TO role_", _GRANT),
        _MAY_LOOK,
        as_role=("source",),
    ),
    BadDatabase(
        "SELECT on one of the columns",
        PermissionDeniedError,
        "42501",
        ("GRANT SELECT (email, created_at) ON shop.users TO role_", _GRANT),
        _MAY_LOOK + "GRANT SELECT (id, name) ON {src}.users TO {role}",
        as_role=("source",),
    ),
    BadDatabase(
        "SELECT below a view",
        PermissionDeniedError,
        "42501",
        ("users", _GRANT),
        _MAY_LOOK + "CREATE VIEW {src}.v WITH (security_invoker) AS SELECT * FROM {src}.users; "
        "GRANT SELECT ON {src}.v TO {role}",
        stream="v",
        as_role=("source",),
    ),
    BadDatabase(
        "EXECUTE of a view's function",
        PermissionDeniedError,
        "42501",
        ("secret", _GRANT),
        _MAY_LOOK + "CREATE FUNCTION {src}.secret() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
        "REVOKE EXECUTE ON FUNCTION {src}.secret() FROM PUBLIC; "
        "CREATE VIEW {src}.v WITH (security_invoker) AS SELECT {src}.secret() AS x; GRANT SELECT ON {src}.v TO {role}",
        stream="v",
        as_role=("source",),
    ),
    BadDatabase(
        "CREATE on the destination's database",
        PermissionDeniedError,
        "42501",
        ("GRANT CREATE ON DATABASE", _GRANT),
        as_role=("destination",),
    ),
    BadDatabase(
        "USAGE on the destination's schema",
        PermissionDeniedError,
        "42501",
        ("{dst}", _GRANT),
        MAY_CREATE + "CREATE SCHEMA {dst}",
        as_role=("destination",),
    ),
    BadDatabase(
        "CREATE in the destination's schema",
        PermissionDeniedError,
        "42501",
        ("{dst}", _GRANT),
        MAY_CREATE + TARGET,
        as_role=("destination",),
    ),
    BadDatabase(
        "USAGE on the schema of receipts",
        PermissionDeniedError,
        "42501",
        ("_rapidbyte", _GRANT),
        "CREATE SCHEMA _rapidbyte; CREATE TABLE _rapidbyte.receipts (); " + MAY_CREATE + TARGET,
        as_role=("destination",),
    ),
    BadDatabase(
        "INSERT into the target",
        PermissionDeniedError,
        "42501",
        ("users", _GRANT),
        MAY_CREATE + TARGET + USERS,
        as_role=("destination",),
    ),
    BadDatabase(
        "TEMPORARY for an upsert",
        PermissionDeniedError,
        "42501",
        ("GRANT TEMPORARY ON DATABASE {database}", _GRANT),
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; " + MAY_CREATE,
        write_mode="upsert",
        as_role=("destination",),
    ),
    BadDatabase(
        "TEMPORARY for values that travel as text",
        PermissionDeniedError,
        "42501",
        ("GRANT TEMPORARY ON DATABASE {database}", _GRANT),
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; CREATE TABLE {src}.spans (s interval); " + MAY_CREATE,
        stream="spans",
        as_role=("destination",),
    ),
    BadDatabase(
        "UPDATE for an upsert",
        PermissionDeniedError,
        "42501",
        ("GRANT UPDATE ON TABLE", _GRANT),
        MAY_CREATE
        + TARGET
        + USERS
        + "ALTER TABLE {dst}.users ADD PRIMARY KEY (id); GRANT SELECT, INSERT ON {dst}.users TO {role}",
        write_mode="upsert",
        as_role=("destination",),
    ),
    BadDatabase(
        "DELETE for a replacement",
        PermissionDeniedError,
        "42501",
        ("GRANT DELETE ON TABLE", _GRANT),
        MAY_CREATE + TARGET + USERS + "GRANT SELECT, INSERT, UPDATE ON {dst}.users TO {role}",
        write_mode="replace",
        as_role=("destination",),
    ),
    BadDatabase(
        "row-level security that hides rows of the source",
        PermissionDeniedError,
        "row_security",
        ("shop.users hides rows from user role_", "BYPASSRLS, or "),
        READER + "ALTER TABLE {src}.users ENABLE ROW LEVEL SECURITY; CREATE POLICY most ON {src}.users USING (id > 1)",
        as_role=("source",),
    ),
    BadDatabase(
        "row-level security below a view",
        PermissionDeniedError,
        "42501",
        ("query would be affected by row-level security policy",),
        READER + "ALTER TABLE {src}.users ENABLE ROW LEVEL SECURITY; "
        "CREATE POLICY most ON {src}.users USING (id > 1); "
        "CREATE VIEW {src}.v WITH (security_invoker) AS SELECT * FROM {src}.users; GRANT SELECT ON {src}.v TO {role}",
        stream="v",
        as_role=("source",),
    ),
    BadDatabase(
        "row-level security that hides rows from a replacement",
        PermissionDeniedError,
        "row_security",
        ("target.users hides rows from user role_", "BYPASSRLS, or "),
        MAY_CREATE
        + TARGET
        + USERS
        + "GRANT ALL ON {dst}.users TO {role}; ALTER TABLE {dst}.users ENABLE ROW LEVEL SECURITY",
        write_mode="replace",
        as_role=("destination",),
    ),
    BadDatabase(
        "USAGE of the target's type",
        PermissionDeniedError,
        "42501",
        ("mood", _GRANT),
        "CREATE TYPE {src}.mood AS ENUM ('ok'); REVOKE USAGE ON TYPE {src}.mood FROM PUBLIC; "
        "CREATE TABLE {src}.moods (m {src}.mood); GRANT USAGE ON SCHEMA {src} TO {role}; "
        + MAY_CREATE
        + TARGET
        + "GRANT CREATE ON SCHEMA {dst} TO {role};",
        stream="moods",
        as_role=("destination",),
    ),
)
