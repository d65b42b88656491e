"""What can be wrong with a server, or with what is read there, as data for tests/e2e/test_bad_databases.py."""

from __future__ import annotations

from harness.bad_input import READER, BadDatabase
from rapidbyte.errors import AuthError, ConfigError, DataError, NetworkError, SchemaError, TransientDatabaseError

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
        "ALTER ROLE {role} SET statement_timeout = '200ms';" + READER,
        stream="slow",
        as_role=("source",),
    ),
)
