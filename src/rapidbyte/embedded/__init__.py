"""A private Postgres server from a PyPI wheel: no Docker, no root, nothing left behind."""

from rapidbyte.embedded.address import ServerAddress
from rapidbyte.embedded.errors import EmbeddedPostgresError, ServerGoneError, WheelMissingError
from rapidbyte.embedded.installation import DEFAULT_MAJOR, find_installation
from rapidbyte.embedded.server import EmbeddedPostgres

__all__ = [
    "DEFAULT_MAJOR",
    "EmbeddedPostgres",
    "EmbeddedPostgresError",
    "ServerAddress",
    "ServerGoneError",
    "WheelMissingError",
    "find_installation",
]
