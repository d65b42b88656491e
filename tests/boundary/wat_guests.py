"""Tiny guests for boundary tests: the common part of fixtures/wat, and a lifecycle written as WAT expressions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wasmtime import wat2wasm

from rapidbyte.frames import BufferPool, FrameLimits
from rapidbyte.model import KIB, MIB
from rapidbyte.net import HostRules
from rapidbyte.wasm import (
    NO_GRANTS,
    NO_STATE,
    ArtifactCache,
    Call,
    Grants,
    Instance,
    InstanceSetup,
    Level,
    StatePort,
    Watchdog,
)

COMMON = Path("fixtures/wat/guest.wat")
_CALLS = tuple(call.value for call in Call)
_LIMITS = FrameLimits(frame_bytes=64 * KIB, frames=4, total_bytes=128 * KIB)


def manifest_of(kind: str = "source", **changes: object) -> Mapping[str, object]:
    """Return a manifest that a test guest can carry."""
    return {
        "abi": "1.0",
        "kind": kind,
        "name": "test",
        "version": "0.1.0",
        "capabilities": {"sync_modes": ["full_refresh"], "write_modes": ["append"]},
        "permissions": {"network": {"allowed_hosts": ["*"]}},
        "config_schema": {"type": "object"},
    } | changes


def manifest_section(manifest: Mapping[str, object] | None = None) -> str:
    """Return the field that puts a manifest into a module."""
    text = json.dumps(manifest_of() if manifest is None else manifest).replace('"', '\\"')
    return f'(@custom "rapidbyte.manifest" "{text}")'


def build(
    bodies: Mapping[str, str] | None = None, *, fields: str = "", manifest: Mapping[str, object] | None = None
) -> bytes:
    """Return the module of a guest.

    `bodies` gives the exports (`rb_check` and so on) that do more than say ok, as expressions of type i64; `$pointer`
    and `$length` are the request. `fields` are further parts of the module. A string in them must not hold a quote.
    """
    given = dict(bodies or {})
    exports = "\n".join(
        f'(func (export "{name}") (param $pointer i32) (param $length i32) (result i64) (local $i i64) '
        f"(local $f i64) {given.pop(name, '(call $ok)')})"
        for name in _CALLS
    )
    assert not given, f"no such exports: {sorted(given)}"
    common = COMMON.read_text(encoding="utf-8")
    return bytes(wat2wasm(f"(module {common}\n{exports}\n{fields}\n{manifest_section(manifest)})"))


def answering(document: str) -> tuple[str, str]:
    """Return a body that gives `document` as its result, and the data it needs as a field."""
    text = document.replace('"', '\\"')
    return (
        f"(call $result (i32.const 512) (i32.const {len(document.encode())}))",
        f'(data (i32.const 512) "{text}")',
    )


class Host:
    """What test instances share: a compiler cache, buffers, a watchdog, and the log lines they wrote."""

    def __init__(self, artifacts: ArtifactCache) -> None:
        self.artifacts = artifacts
        self.pool = BufferPool(4 * MIB)
        self.watchdog = Watchdog()
        self.lines: list[tuple[Level, str]] = []
        self.on_log: Callable[[Level, str], None] = lambda level, message: self.lines.append((level, message))

    def start(
        self,
        wasm: bytes,
        *,
        timeout_s: float = 10.0,
        max_memory_bytes: int | None = None,
        rules: HostRules | None = None,
        name: str = "source test",
        limits: FrameLimits = _LIMITS,
        state: StatePort = NO_STATE,
        grants: Grants = NO_GRANTS,
    ) -> Instance:
        """Make an instance, which the caller closes."""
        setup = InstanceSetup(
            name=name,
            rules=HostRules.of(("*",)) if rules is None else rules,
            timeout_s=timeout_s,
            pool=self.pool,
            watchdog=self.watchdog,
            on_log=self.on_log,
            frame_limits=limits,
            max_memory_bytes=max_memory_bytes,
            state=state,
            grants=grants,
        )
        return Instance(self.artifacts.get(wasm), setup)

    def check(self, body: str, *, fields: str = "", **options: Any) -> Any:
        """Return what a guest's `rb_check` with this body answers."""
        with self.start(build({"rb_check": body}, fields=fields), **options) as instance:
            return instance.call(Call.CHECK, {})


@contextmanager
def hosting(cache_directory: Path) -> Iterator[Host]:
    """Give a host and end what it holds."""
    host = Host(ArtifactCache(cache_directory))
    try:
        yield host
    finally:
        host.watchdog.close()
        host.pool.close()
