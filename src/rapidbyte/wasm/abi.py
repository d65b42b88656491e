"""The names and numbers of the connector ABI (docs/ABI.md); connectors/sdk/src/abi_numbers.rs has the same ones."""

from __future__ import annotations

from enum import Enum, IntEnum

ABI_MAJOR = 1
ABI_MINOR = 2
IMPORT_MODULE = f"rapidbyte_v{ABI_MAJOR}"
WASI_MODULE = "wasi_snapshot_preview1"
MANIFEST_SECTION = "rapidbyte.manifest"

MAX_RESULT_BYTES = 16 * 1024 * 1024
MAX_LOG_BYTES = 8 * 1024
MAX_METADATA_BYTES = 512 * 1024
MAX_REJECTION_BYTES = 16 * 1024 * 1024
WAIT_RECORD_BYTES = 16
RANGE_BYTES = 16
MAX_STATE_NAME_BYTES = 255
MAX_STATE_VALUE_BYTES = 1024 * 1024

UNREADABLE_FRAME_CODES = frozenset(("arrow", "row_count"))  # of errors of category `frame`, about who sent it (§6)

STOP_GRACE_S = 1.0  # from the order to stop until guest code is interrupted
CLOSE_GRACE_S = 2.0  # the whole time of `rb_close`


class Status(IntEnum):
    """What an import answers when it has no value to give (§4)."""

    OK = 0
    WOULD_BLOCK = -1
    END_OF_STREAM = -2
    ABORTED = -3
    CANCELLED = -4
    TIMED_OUT = -5
    CLOSED = -6
    BAD_POINTER = -7
    BAD_HANDLE = -8
    BAD_STATE = -9
    OUT_OF_BOUNDS = -10
    TOO_LARGE = -11
    LIMIT = -12
    INVALID_ARGUMENT = -13
    DENIED = -14
    NOT_FOUND = -15
    REFUSED = -16
    RESET = -17
    INTERNAL = -18
    TLS_FAILED = -19
    UNTRUSTED = -20
    BAD_FILE = -21


class Level(IntEnum):
    """Levels of the `log` import."""

    ERROR = 1
    WARN = 2
    INFO = 3
    DEBUG = 4
    POINT = 5  # no line for people: a named point of a run was reached


class WasiErrno(IntEnum):
    """The answers of the WASI functions that the host replaces."""

    SUCCESS = 0
    BADF = 8
    FAULT = 21
    NOTSUP = 58


class Call(Enum):
    """The lifecycle: the exports that take and give JSON (§3)."""

    SPEC = "rb_spec"
    OPEN = "rb_open"
    CHECK = "rb_check"
    DISCOVER = "rb_discover"
    HOLDINGS = "rb_holdings"
    PREPARE = "rb_prepare"
    RESUME = "rb_resume"
    SNAPSHOT = "rb_snapshot"
    RUN = "rb_run"
    PUBLISH = "rb_publish"
    FINISH = "rb_finish"
    CLOSE = "rb_close"


# `rb_resume` and `rb_finish` since version 1.1, the others since 1.2: a guest without one answers with an empty object.
OPTIONAL_CALLS = frozenset((Call.HOLDINGS, Call.RESUME, Call.SNAPSHOT, Call.PUBLISH, Call.FINISH))
