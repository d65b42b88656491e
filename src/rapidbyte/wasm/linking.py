"""Joining a module with the host: which imports exist, under which types, and which a module may ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wasmtime import Engine, Func, FuncType, Linker, MemoryType, Module, Store, Val, ValType

from rapidbyte.errors import ConnectorCrashError, ConnectorInvalidError, ErrorInfo
from rapidbyte.wasm.abi import ABI_MAJOR, IMPORT_MODULE, OPTIONAL_CALLS, WASI_MODULE, Call
from rapidbyte.wasm.channel_imports import ChannelImports
from rapidbyte.wasm.report_imports import ReportImports
from rapidbyte.wasm.socket_imports import SocketImports
from rapidbyte.wasm.state_imports import StateImports

_PAGE_BYTES = 65536
_I32 = ValType.i32()
_I64 = ValType.i64()
_LETTERS: Mapping[str, ValType] = {"i": _I32, "I": _I64}

_SIGNATURES: Mapping[str, str] = {  # parameters, then the result; i is i32, I is i64
    "last_error": "iii",
    "log": "iiii",
    "frame_new": "II",
    "frame_write": "IiiI",
    "frame_seal": "II",
    "frame_len": "II",
    "frame_read": "IIiii",
    "frame_drop": "Ii",
    "frame_meta": "Iiii",
    "emit": "Iiii",
    "next": "I",
    "checkpoint": "iii",
    "durable_position": "iiii",
    "stop_requested": "i",
    "report_lag": "Ii",
    "reject": "iii",
    "next_range": "iii",
    "sock_connect": "iiiiI",
    "sock_read": "Iiii",
    "sock_write": "Iiii",
    "sock_wait": "iiii",
    "sock_close": "Ii",
    "sock_start_tls": "Iiiii",
    "sock_tls_end_point": "Iiii",
    "state_get": "iiiii",
    "state_put": "iiiii",
    "state_compare_and_swap": "iiiIiIi",
}
_WASI_SIGNATURES: Mapping[str, str] = {"poll_oneoff": "iiiii", "fd_write": "iiiii"}

_REQUIRED_EXPORTS = frozenset(("memory", "rb_alloc", *(call.value for call in Call if call not in OPTIONAL_CALLS)))


def require_fitting(module: Module) -> None:
    """Raise ConnectorInvalidError unless all that a module imports and must export is there."""
    wanted = [(part.module, part.name or "") for part in module.imports]
    versions = sorted({owner for owner, _ in wanted if owner.startswith("rapidbyte_v") and owner != IMPORT_MODULE})
    if versions:
        raise ConnectorInvalidError(
            f"The connector was built for {', '.join(versions)}; this rapidbyte has version {ABI_MAJOR} of the "
            "connector ABI. Use a connector of the same major version.",
            ErrorInfo("abi_version"),
        )
    foreign = [
        f"{owner}.{name}"
        for owner, name in wanted
        if owner != WASI_MODULE and not (owner == IMPORT_MODULE and name in _SIGNATURES)
    ]
    if foreign:
        raise ConnectorInvalidError(
            f"The connector asks for functions that the host does not have: {', '.join(foreign)}. "
            "Build it with the SDK of this version.",
            ErrorInfo("unknown_import"),
        )
    missing = _REQUIRED_EXPORTS - {part.name for part in module.exports}
    if missing:
        raise ConnectorInvalidError(
            f"The connector does not export {', '.join(sorted(missing))}. Build it with the connector SDK.",
            ErrorInfo("missing_export"),
        )


def require_memory(module: Module, max_memory_bytes: int) -> None:
    """Raise ConnectorCrashError with code `memory_limit` when the module needs more to start with."""
    for part in module.exports:
        if isinstance(part.type, MemoryType) and part.type.limits.min * _PAGE_BYTES > max_memory_bytes:
            raise ConnectorCrashError(
                f"The connector needs {part.type.limits.min * _PAGE_BYTES} bytes of memory to start with, more than "
                f"its limit of {max_memory_bytes}. Raise its limits.max_memory.",
                ErrorInfo("memory_limit"),
            )


def link(
    engine: Engine,
    store: Store,
    channel: ChannelImports,
    sockets: SocketImports,
    report: ReportImports,
    state: StateImports,
) -> Linker:
    """Make a linker with all imports of one instance; the caller holds RUNTIME_LOCK and closes it."""
    linker = Linker(engine)
    linker.allow_shadowing = True
    linker.define_wasi()
    for owner, signatures in ((IMPORT_MODULE, _SIGNATURES), (WASI_MODULE, _WASI_SIGNATURES)):
        for name, signature in signatures.items():
            implementation = _implementation(name, (channel, sockets, report, state))
            callback = _answering(implementation, Val.i64 if signature.endswith("I") else Val.i32)
            linker.define(store, owner, name, Func(store, _type_of(signature), callback))
    return linker


def _implementation(name: str, owners: tuple[object, ...]) -> Callable[..., int]:
    owner = next(owner for owner in owners if hasattr(owner, name))
    function: Callable[..., int] = getattr(owner, name)
    return function


def _answering(implementation: Callable[..., int], value_of: Callable[[int], Val]) -> Callable[..., Val]:
    """Make a callback whose answer has its type: the bindings take a quarter of a call to find it out for a number."""
    return lambda *arguments: value_of(implementation(*arguments))


def _type_of(signature: str) -> FuncType:
    """Make a type; one that was used with an engine cannot be used with another."""
    kinds = [_LETTERS[letter] for letter in signature]
    return FuncType(kinds[:-1], kinds[-1:])
