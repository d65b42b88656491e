"""A table of what can be wrong at the servers: each gives its typed error, with the remedy, and writes nothing."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

import rapidbyte
from harness.bad_input import BadDatabase
from harness.fix_role import Role
from harness.seeds import seed
from rapidbyte.cli.failure import failure_text
from rapidbyte.embedded import ServerAddress
from rapidbyte.errors import (
    AuthError,
    ConfigError,
    DataError,
    NetworkError,
    PermissionDeniedError,
    RapidbyteError,
    SchemaError,
    TransientDatabaseError,
)

_SOURCE, _DESTINATION = "shop", "target"
_READER = "GRANT USAGE ON SCHEMA {src} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {src} TO {role};"
_TARGET = "CREATE SCHEMA {dst}; GRANT USAGE ON SCHEMA {dst} TO {role}; "
_MAY_CREATE = "GRANT CREATE ON DATABASE {database} TO {role}; "
_MAY_LOOK = "GRANT USAGE ON SCHEMA {src} TO {role}; "
_POLICY = (
    "ALTER TABLE {dst}.users ENABLE ROW LEVEL SECURITY; "
    "CREATE POLICY few ON {dst}.users USING (true) WITH CHECK (id < 2); GRANT SELECT, INSERT ON {dst}.users TO {role}"
)
_USERS = "CREATE TABLE {dst}.users (id integer, name text, email text, created_at timestamptz); "

UNREACHABLE = (
    BadDatabase("port", NetworkError, "connection_refused", ("Check that the server runs there",), source={"port": 0}),
    BadDatabase(
        "destination's port", NetworkError, "connection_refused", ("`host` and `port`",), destination={"port": 0}
    ),
    BadDatabase(
        "host name",
        NetworkError,
        "host_not_found",
        ("no-such-host.invalid is not known", "Check its spelling"),
        source={"host": "no-such-host.invalid"},
    ),
    BadDatabase(
        "unix socket",
        NetworkError,
        "connection_refused",
        ("/no/such/directory", "Check that the server runs there"),
        source={"host": "/no/such/directory"},
    ),
    BadDatabase("password", AuthError, "28P01", ("hint: check `user` and `password`",), source={"password": "wrong"}),
    BadDatabase(
        "destination's password",
        AuthError,
        "28P01",
        ("hint: check `user` and `password`",),
        destination={"password": "wrong"},
    ),
    BadDatabase("user", AuthError, "28P01", ("hint: check `user`",), source={"user": "no_such_user"}),
    BadDatabase(
        "database",
        ConfigError,
        "3D000",
        ('"no_such_db" does not exist', "hint: check `database`"),
        source={"database": "no_such_db"},
    ),
    BadDatabase(
        "destination's database",
        ConfigError,
        "3D000",
        ("hint: check `database`",),
        destination={"database": "no_such_db"},
    ),
    BadDatabase(
        "user who may not log in",
        AuthError,
        "28000",
        ("not permitted to log in", "pg_hba.conf"),
        sql="ALTER ROLE {role} NOLOGIN",
        as_role=("source",),
    ),
    BadDatabase(
        "password that has expired",
        AuthError,
        "28P01",
        ("hint: check `user` and `password`",),
        sql="ALTER ROLE {role} VALID UNTIL '2000-01-01'",
        as_role=("source",),
    ),
    BadDatabase(
        "no further connection for the user",
        TransientDatabaseError,
        "53300",
        ("hint: wait for other sessions",),
        sql="ALTER ROLE {role} CONNECTION LIMIT 0",
        as_role=("source",),
    ),
    BadDatabase(
        "TLS that the server has not",
        ConfigError,
        "tls_not_offered",
        ("sslmode demands", "hint: set `sslmode` to prefer or disable"),
        source={"sslmode": "verify-full"},
    ),
)

MISSING = (
    BadDatabase(
        "table", SchemaError, "table_not_found", ("nothing_here", "hint: `rapidbyte discover`"), stream="nothing_here"
    ),
    BadDatabase("table of another schema", SchemaError, "table_not_found", ("nowhere.users",), stream="nowhere.users"),
    BadDatabase("schema", SchemaError, "table_not_found", ("no_such_schema",), source={"schema": "no_such_schema"}),
    BadDatabase(
        "column",
        SchemaError,
        "column_not_found",
        ("nickname", "hint: `rapidbyte discover`"),
        columns=("id", "nickname"),
    ),
    BadDatabase(
        "column in another case",
        SchemaError,
        "column_not_found",
        ("ID",),
        columns=("ID",),
    ),
    BadDatabase("index in the place of a table", SchemaError, "table_not_found", ("users_pkey",), stream="users_pkey"),
    BadDatabase(
        "view that breaks",
        DataError,
        "22012",
        ("division by zero", "hint: a view of the source"),
        sql="CREATE VIEW {src}.broken AS SELECT 1 / (id - id) AS x FROM {src}.users",
        stream="broken",
    ),
    BadDatabase(
        "sequence in the place of a table", SchemaError, "table_not_found", ("users_id_seq",), stream="users_id_seq"
    ),
    BadDatabase(
        "data of a materialized view",
        SchemaError,
        "55000",
        ("has not been populated", "hint: make ready"),
        sql="CREATE MATERIALIZED VIEW {src}.later AS SELECT * FROM {src}.users WITH NO DATA",
        stream="later",
    ),
    BadDatabase(
        "time to read a slow view",
        TransientDatabaseError,
        "57014",
        ("statement timeout", "hint: raise statement_timeout"),
        sql="CREATE VIEW {src}.slow AS SELECT pg_sleep(30)::text AS x; "
        "ALTER ROLE {role} SET statement_timeout = '200ms';" + _READER,
        stream="slow",
        as_role=("source",),
    ),
)

TARGETS = (
    BadDatabase(
        "view in the place of the target",
        SchemaError,
        "not_a_table",
        ("rename it",),
        _TARGET + "CREATE VIEW {dst}.users AS SELECT 1",
    ),
    BadDatabase(
        "type of the target's column",
        SchemaError,
        "type_mismatch",
        ("Column id", "alter one of them"),
        _TARGET + _USERS + "ALTER TABLE {dst}.users DROP id, ADD id date",
    ),
    BadDatabase(
        "further column of the target that needs a value",
        SchemaError,
        "column_required",
        ("tenant", "give it one, or drop the constraint"),
        _TARGET + _USERS + "ALTER TABLE {dst}.users ADD tenant text NOT NULL",
    ),
    BadDatabase(
        "NULL for a column without",
        DataError,
        "23502",
        ("email", "hint: a column of the destination allows no NULL"),
        _TARGET + _USERS + "ALTER TABLE {dst}.users ALTER email SET NOT NULL",
    ),
    BadDatabase(
        "value that a check refuses",
        DataError,
        "23514",
        ("short", "hint: change the row at the source"),
        _TARGET + _USERS + "ALTER TABLE {dst}.users ADD CONSTRAINT short CHECK (length(name) < 4)",
    ),
    BadDatabase(
        "key that is there already",
        DataError,
        "23505",
        ("hint: append only adds rows",),
        _TARGET + _USERS + "ALTER TABLE {dst}.users ADD PRIMARY KEY (id); INSERT INTO {dst}.users VALUES (2)",
    ),
    BadDatabase(
        "parent that is missing",
        DataError,
        "23503",
        ("parents", "hint: move the table"),
        _TARGET + _USERS + "CREATE TABLE {dst}.parents (id integer PRIMARY KEY); "
        "ALTER TABLE {dst}.users ADD FOREIGN KEY (id) REFERENCES {dst}.parents",
    ),
    BadDatabase(
        "trigger that refuses",
        DataError,
        "P0001",
        ("closed for today", "hint: a function or trigger of the server"),
        _TARGET + _USERS + "CREATE FUNCTION {dst}.refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE 'closed for today'; END $$; "
        "CREATE TRIGGER t BEFORE INSERT ON {dst}.users FOR EACH ROW EXECUTE FUNCTION {dst}.refuse()",
    ),
    BadDatabase(
        "partition for a row",
        DataError,
        "23514",
        ("no partition", "hint: change the row"),
        _TARGET + "CREATE TABLE {dst}.users (id integer, name text, email text, created_at timestamptz) "
        "PARTITION BY RANGE (id); CREATE TABLE {dst}.users_1 PARTITION OF {dst}.users FOR VALUES FROM (1) TO (3)",
    ),
    BadDatabase(
        "trigger that drops rows",
        DataError,
        "rows_dropped",
        ("stored 0 rows of 3", "trigger"),
        _TARGET + _USERS + "CREATE FUNCTION {dst}.drop() RETURNS trigger LANGUAGE plpgsql AS "
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
        _MAY_CREATE + _TARGET + _USERS + _POLICY,
        as_role=("destination",),
    ),
    BadDatabase(
        "row policy of the target",
        PermissionDeniedError,
        "42501",
        ("violates row-level security policy", "hint: ask the owner"),
        _MAY_CREATE + _TARGET + _USERS + _POLICY,
        destination={"load_method": "insert"},
        as_role=("destination",),
    ),
    BadDatabase(
        "destination that is read only",
        PermissionDeniedError,
        "25006",
        ("hint: the server accepts no writes",),
        "ALTER ROLE {role} SET default_transaction_read_only = on; " + _MAY_CREATE,
        as_role=("destination",),
    ),
)

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
        _MAY_CREATE + "CREATE SCHEMA {dst}",
        as_role=("destination",),
    ),
    BadDatabase(
        "CREATE in the destination's schema",
        PermissionDeniedError,
        "42501",
        ("{dst}", _GRANT),
        _MAY_CREATE + _TARGET,
        as_role=("destination",),
    ),
    BadDatabase(
        "USAGE on the schema of receipts",
        PermissionDeniedError,
        "42501",
        ("_rapidbyte", _GRANT),
        "CREATE SCHEMA _rapidbyte; CREATE TABLE _rapidbyte.receipts (); " + _MAY_CREATE + _TARGET,
        as_role=("destination",),
    ),
    BadDatabase(
        "INSERT into the target",
        PermissionDeniedError,
        "42501",
        ("users", _GRANT),
        _MAY_CREATE + _TARGET + _USERS,
        as_role=("destination",),
    ),
    BadDatabase(
        "TEMPORARY for an upsert",
        PermissionDeniedError,
        "42501",
        ("GRANT TEMPORARY ON DATABASE {database}", _GRANT),
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; " + _MAY_CREATE,
        write_mode="upsert",
        as_role=("destination",),
    ),
    BadDatabase(
        "TEMPORARY for values that travel as text",
        PermissionDeniedError,
        "42501",
        ("GRANT TEMPORARY ON DATABASE {database}", _GRANT),
        "REVOKE TEMPORARY ON DATABASE {database} FROM PUBLIC; CREATE TABLE {src}.spans (s interval); " + _MAY_CREATE,
        stream="spans",
        as_role=("destination",),
    ),
    BadDatabase(
        "UPDATE for an upsert",
        PermissionDeniedError,
        "42501",
        ("GRANT UPDATE ON TABLE", _GRANT),
        _MAY_CREATE
        + _TARGET
        + _USERS
        + "ALTER TABLE {dst}.users ADD PRIMARY KEY (id); GRANT SELECT, INSERT ON {dst}.users TO {role}",
        write_mode="upsert",
        as_role=("destination",),
    ),
    BadDatabase(
        "DELETE for a replacement",
        PermissionDeniedError,
        "42501",
        ("GRANT DELETE ON TABLE", _GRANT),
        _MAY_CREATE + _TARGET + _USERS + "GRANT SELECT, INSERT, UPDATE ON {dst}.users TO {role}",
        write_mode="replace",
        as_role=("destination",),
    ),
    BadDatabase(
        "row-level security that hides rows of the source",
        PermissionDeniedError,
        "row_security",
        ("shop.users hides rows from user role_", "BYPASSRLS, or "),
        _READER + "ALTER TABLE {src}.users ENABLE ROW LEVEL SECURITY; CREATE POLICY most ON {src}.users USING (id > 1)",
        as_role=("source",),
    ),
    BadDatabase(
        "row-level security below a view",
        PermissionDeniedError,
        "42501",
        ("query would be affected by row-level security policy",),
        _READER + "ALTER TABLE {src}.users ENABLE ROW LEVEL SECURITY; "
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
        _MAY_CREATE
        + _TARGET
        + _USERS
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
        + _MAY_CREATE
        + _TARGET
        + "GRANT CREATE ON SCHEMA {dst} TO {role};",
        stream="moods",
        as_role=("destination",),
    ),
)


@pytest.fixture
def bad_role(role: Role, session: psycopg.Connection) -> Role:
    """A user without privileges of its own."""
    session.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER").format(sql.Identifier(role.name)))
    return role


def unused_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.mark.parametrize("case", [*UNREACHABLE, *MISSING, *TARGETS, *PRIVILEGES], ids=lambda case: case.name)
def test_what_is_wrong_at_a_server_is_a_typed_error_with_the_remedy(
    case: BadDatabase, bad_role: Role, database: ServerAddress, tmp_path: Path
) -> None:
    names = {"src": _SOURCE, "dst": _DESTINATION, "role": bad_role.name, "database": database.database}
    with psycopg.connect(database.dsn(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(_SOURCE)))
        seed(session, _SOURCE, "fixtures/sql/users.sql")
        session.execute(case.sql.format(**names).encode() or b"SELECT")
    with pytest.raises(RapidbyteError) as caught:
        rapidbyte.run_pipeline(_document(case, database, bad_role), state_path=tmp_path / "state.db")
    told = failure_text(caught.value)
    assert (type(caught.value), caught.value.code) == (case.error, case.code), told
    assert [words for words in case.words if words.format(**names) not in told] == [], told


def _document(case: BadDatabase, server: ServerAddress, role: Role) -> dict[str, Any]:
    configs: dict[str, dict[str, object]] = {}
    for side, schema, changes in (
        ("source", _SOURCE, case.source),
        ("destination", _DESTINATION, case.destination),
    ):
        config: dict[str, object] = {
            "host": server.host,
            "port": server.port,
            "user": server.user,
            "password": server.password,
            "database": server.database,
            "schema": schema,
        }
        if side in case.as_role:
            config |= {"user": role.variables["PGUSER"], "password": role.variables["PGPASSWORD"]}
        config |= changes
        configs[side] = config | ({"port": unused_port()} if config["port"] == 0 else {})
    stream: dict[str, object] = {"name": case.stream, "sync_mode": "full_refresh"}
    if case.columns is not None:
        stream["columns"] = list(case.columns)
    return {
        "version": "1.0",
        "pipeline": "bad",
        "source": {"use": "postgres", "config": configs["source"], "streams": [stream]},
        "destination": {"use": "postgres", "config": configs["destination"], "write_mode": case.write_mode},
    }
