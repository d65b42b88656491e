"""Bad input as data: what is wrong, and the typed error that has to come of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from rapidbyte.errors import RapidbyteError

# Pieces of the SQL that makes a database bad.
READER = "GRANT USAGE ON SCHEMA {src} TO {role}; GRANT SELECT ON ALL TABLES IN SCHEMA {src} TO {role};"
TARGET = "CREATE SCHEMA {dst}; GRANT USAGE ON SCHEMA {dst} TO {role}; "
MAY_CREATE = "GRANT CREATE ON DATABASE {database} TO {role}; "
USERS = "CREATE TABLE {dst}.users (id integer, name text, email text, created_at timestamptz); "


@dataclass(frozen=True, slots=True)
class BadDatabase:
    """One thing wrong at a server, and the error of a run that meets it.

    `sql` is run first by a superuser, with `{src}`, `{dst}`, `{role}` and `{database}` in it. `source` and
    `destination` change the connectors' configs; the sides named in `as_role` connect as a user without privileges of
    its own. `words` stand in the error's message or hint.
    """

    name: str
    error: type[RapidbyteError]
    code: str
    words: tuple[str, ...]
    sql: str = ""
    stream: str = "users"
    columns: tuple[str, ...] | None = None
    write_mode: str = "append"
    source: dict[str, object] = field(default_factory=dict)
    destination: dict[str, object] = field(default_factory=dict)
    as_role: tuple[str, ...] = ()
