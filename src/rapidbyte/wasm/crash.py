"""What became of a guest that trapped, as an error that people can act on."""

from __future__ import annotations

from wasmtime import ExitTrap, Trap, TrapCode, WasmtimeError

from rapidbyte.errors import ConnectorCrashError, ErrorInfo

_PAGE_BYTES = 65536
_ALLOCATION_FAILED = b"memory allocation of "  # how Rust's standard library says so, before it aborts


def crash_of(
    error: WasmtimeError | Trap, connector: str, memory_bytes: int, memory_limit: int | None, last_stderr: bytes
) -> ConnectorCrashError:
    """Return the error for a trap. Out of memory has no trap of its own: it is told by the limit and the last words."""
    if isinstance(error, ExitTrap):
        return _crash(f"{connector} ended itself with exit code {error.code}.", "exit", connector)
    if not isinstance(error, Trap):
        return _crash(f"{connector} could not be run: {error}", "trap", connector)
    code = error.trap_code
    is_full = memory_limit is not None and memory_limit - memory_bytes < _PAGE_BYTES
    if code is TrapCode.UNREACHABLE and (is_full or _ALLOCATION_FAILED in last_stderr):
        limit = "" if memory_limit is None else f" of {memory_limit} bytes"
        return _crash(
            f"{connector} needs more memory than its limit{limit}. Raise its limits.max_memory.",
            "memory_limit",
            connector,
        )
    name = "unknown" if code is None else code.name.lower()
    words = last_stderr.decode("utf-8", errors="replace").strip()
    said = f" Its last words: {words}." if words else ""
    return _crash(
        f"{connector} crashed ({name.replace('_', ' ')}).{said} This is a fault of the connector; please report it.",
        name,
        connector,
    )


def _crash(message: str, code: str, connector: str) -> ConnectorCrashError:
    return ConnectorCrashError(message, ErrorInfo(code, details=(("connector", connector),)))
