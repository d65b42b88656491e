"""The error tree: every failure a user can meet is one of these classes.

Each class fixes its category; scope, code and retryability are data of the instance. A message says what failed, on
what, and what to do next, and never holds a secret. Branch on the class or on `code`, never on text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class Category(Enum):
    """What kind of thing failed; the values are those of docs/ABI.md §3."""

    CONFIG = "config"
    AUTH = "auth"
    PERMISSION = "permission"
    RATE_LIMIT = "rate_limit"
    TRANSIENT_NETWORK = "transient_network"
    TRANSIENT_DB = "transient_db"
    DATA = "data"
    SCHEMA = "schema"
    FRAME = "frame"
    INTERNAL = "internal"
    CANCELLED = "cancelled"


class Scope(Enum):
    """How much of the run the failure concerns."""

    STREAM = "stream"
    BATCH = "batch"
    RECORD = "record"


class CommitState(Enum):
    """What is known of the destination's commit when the failure happened."""

    BEFORE_COMMIT = "before_commit"
    AFTER_COMMIT_UNKNOWN = "after_commit_unknown"
    AFTER_COMMIT_CONFIRMED = "after_commit_confirmed"


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """The parts of an error besides its class and message.

    `retry_after_ms` is a wait in milliseconds, or None. `details` holds names such as the stream or the host, never
    secrets.
    """

    code: str
    scope: Scope = Scope.STREAM
    retryable: bool = False
    retry_after_ms: int | None = None
    safe_to_retry: bool = False
    commit_state: CommitState | None = None
    details: tuple[tuple[str, str], ...] = ()


class RapidbyteError(Exception):
    """Base of all errors that rapidbyte raises on purpose."""

    category: ClassVar[Category] = Category.INTERNAL
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, info: ErrorInfo | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.info = info if info is not None else ErrorInfo(self.default_code)

    @property
    def code(self) -> str:
        """The stable name of the failure: a lower-case word, or a server's SQLSTATE."""
        return self.info.code

    @property
    def retryable(self) -> bool:
        """Whether a later attempt may succeed."""
        return self.info.retryable


class ConfigError(RapidbyteError):
    """A document, option or environment variable is wrong."""

    category = Category.CONFIG
    default_code = "config"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a document: where (`path` such as `source.streams[2].name`, 1-based `line` or None), what."""

    path: str
    message: str
    line: int | None = None


class DocumentError(ConfigError):
    """A pipeline document with all of its problems, in the order of their lines."""

    default_code = "invalid_document"

    def __init__(self, source: str, problems: tuple[Problem, ...]) -> None:
        lines = [": ".join(filter(None, (_place(source, p.line), p.path, p.message))) for p in problems]
        super().__init__("\n".join(lines))
        self.source = source
        self.problems = problems


def _place(source: str, line: int | None) -> str:
    return source if line is None else f"{source}:{line}"


class ConnectorNotFoundError(ConfigError):
    """A `use:` that names no connector."""

    default_code = "connector_not_found"


class MissingPackageError(ConfigError):
    """A command needs packages that this installation lacks."""

    default_code = "missing_package"


class StateError(ConfigError):
    """What keeps the state of pipelines cannot be used."""

    default_code = "state"


class StateUnreachableError(StateError):
    """The server that keeps the state does not answer."""

    category = Category.TRANSIENT_NETWORK
    default_code = "state_unreachable"


class StateDeniedError(StateError):
    """The server that keeps the state does not let us in, or not do what we must."""

    category = Category.AUTH
    default_code = "state_denied"


class ConnectorInvalidError(ConfigError):
    """A file that is no connector, or one that this version cannot run."""

    default_code = "connector_invalid"


class AuthError(RapidbyteError):
    """A server refused who we say we are."""

    category = Category.AUTH
    default_code = "auth"


class PermissionDeniedError(RapidbyteError):
    """The pipeline's permissions, or a server's privileges, do not allow it."""

    category = Category.PERMISSION
    default_code = "permission_denied"


class RateLimitError(RapidbyteError):
    """A server asks for fewer requests."""

    category = Category.RATE_LIMIT
    default_code = "rate_limit"


class NetworkError(RapidbyteError):
    """A connection could not be made, or broke."""

    category = Category.TRANSIENT_NETWORK
    default_code = "network"


class TransientDatabaseError(RapidbyteError):
    """A database failed in a way that may pass: shutting down, deadlock, too many connections."""

    category = Category.TRANSIENT_DB
    default_code = "transient_db"


class DataError(RapidbyteError):
    """A value cannot be read, moved or stored."""

    category = Category.DATA
    default_code = "data"


class DeadLettersFullError(DataError):
    """There is no room for another rejected row; the rows that were to be stored are not."""

    default_code = "dlq_full"


class SchemaError(RapidbyteError):
    """A table, column or type is not what was asked for."""

    category = Category.SCHEMA
    default_code = "schema"


class FrameError(RapidbyteError):
    """A batch broke the rules of frames or of the channel."""

    category = Category.FRAME
    default_code = "frame"


class InternalError(RapidbyteError):
    """The engine or a connector is at fault, not the user."""


class ConnectorCrashError(InternalError):
    """A connector trapped; `code` is the trap, or `memory_limit` or `timeout`."""

    default_code = "trap"


class CancelledRunError(RapidbyteError):
    """The run was asked to stop."""

    category = Category.CANCELLED
    default_code = "cancelled"


_BY_CATEGORY: Mapping[Category, type[RapidbyteError]] = {
    Category.CONFIG: ConfigError,
    Category.AUTH: AuthError,
    Category.PERMISSION: PermissionDeniedError,
    Category.RATE_LIMIT: RateLimitError,
    Category.TRANSIENT_NETWORK: NetworkError,
    Category.TRANSIENT_DB: TransientDatabaseError,
    Category.DATA: DataError,
    Category.SCHEMA: SchemaError,
    Category.FRAME: FrameError,
    Category.INTERNAL: InternalError,
    Category.CANCELLED: CancelledRunError,
}


def error_of(category: Category, message: str, info: ErrorInfo) -> RapidbyteError:
    """Return the error of the class that stands for `category`."""
    return _BY_CATEGORY[category](message, info)
