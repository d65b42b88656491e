"""Compiled connectors: made once per module, runtime and machine, kept in the user's cache, and shared by processes.

What is in the cache is native code that will be run. It is loaded only from a directory that is ours alone, and that
nobody else can put another one in the place of; from files that are ours, and when its digest is the one written
beside it; anything else is compiled again and replaced. A process computes the digest of a file once, and again where
the file has changed. Where there is no such directory, the code is compiled for this process only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import logging
import os
import platform
import stat
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wasmtime import Engine, Module, WasmtimeError

from rapidbyte.errors import ConnectorInvalidError
from rapidbyte.wasm.manifest import Manifest, read_manifest
from rapidbyte.wasm.runtime import RUNTIME_LOCK, new_engine

_CPU_FILE = Path("/proc/cpuinfo")
_KEPT_UNUSED_S = 30 * 24 * 3600.0
_MARKED_USED_S = 24 * 3600.0  # how often, at most: a file that changes with each use would be read with each
_KNOWN_DIGESTS = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A connector that can be instantiated at once: its manifest, and its code as a file or, without one, as bytes."""

    manifest: Manifest
    code: Path | bytes

    def load(self, engine: Engine) -> Module:
        """Load the code into an engine; the caller holds RUNTIME_LOCK and closes the module."""
        if isinstance(self.code, bytes):
            return Module.deserialize(engine, self.code)
        return Module.deserialize_file(engine, str(self.code))


class ArtifactCache:
    """The compiled connectors in one directory. Safe for several processes."""

    def __init__(self, directory: Path, on_compile: Callable[[Manifest], None] | None = None) -> None:
        """Use a directory, which is made if need be. `on_compile` is told before each compilation."""
        self._directory = directory
        self._on_compile = on_compile

    @classmethod
    def of_user(cls, on_compile: Callable[[Manifest], None] | None = None) -> ArtifactCache:
        """Return the cache of the user who runs this process."""
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return cls(Path(base) / "rapidbyte" / "aot", on_compile)

    def get(self, wasm: bytes) -> Artifact:
        """Return the compiled form of a module, compiling it first if need be, which takes about a second.

        Raises ConnectorInvalidError.
        """
        manifest = read_manifest(wasm)
        try:
            return Artifact(manifest, self._kept(wasm, manifest))
        except OSError as error:
            _log.warning("Compiled connectors are not kept: %s", error)
            return Artifact(manifest, self._compiled(wasm, manifest))

    def _compiled(self, wasm: bytes, manifest: Manifest) -> bytes:
        if self._on_compile is not None:
            self._on_compile(manifest)
        return _compile(wasm)

    def _kept(self, wasm: bytes, manifest: Manifest) -> Path:
        """Return the file with a module's code, making it if need be. Raises OSError where no file can be kept."""
        self._claim_directory()
        path = self._directory / f"{_key(wasm)}.cwasm"
        if not _is_intact(path):
            with open(path.with_suffix(".lock"), "wb") as lock:  # one process compiles, the others wait for it
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not _is_intact(path):
                    self._forget_unused()
                    self._store(path, self._compiled(wasm, manifest))
        with contextlib.suppress(OSError):  # a cache that can only be read serves as well
            if path.stat().st_mtime < time.time() - _MARKED_USED_S:
                os.utime(path)
        return path

    def _claim_directory(self) -> None:
        for missing in reversed([self._directory, *self._directory.parents]):
            missing.mkdir(mode=0o700, exist_ok=True)
        _require_out_of_reach(self._directory.parent.resolve())
        status = self._directory.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise PermissionError(f"{self._directory} belongs to somebody else")
        if status.st_mode & 0o077:
            self._directory.chmod(0o700)

    def _forget_unused(self) -> None:
        """Remove what no run has used for long: whoever builds connectors would fill the disk with old ones."""
        oldest = time.time() - _KEPT_UNUSED_S
        for code in self._directory.glob("*.cwasm"):
            with contextlib.suppress(FileNotFoundError):  # another process does the same
                if code.lstat().st_mtime < oldest:
                    for part in (code, code.with_suffix(".sha256"), code.with_suffix(".lock")):
                        part.unlink(missing_ok=True)

    def _store(self, path: Path, code: bytes) -> None:
        self._replace(path, code)
        self._replace(path.with_suffix(".sha256"), hashlib.sha256(code).hexdigest().encode("ascii"))

    def _replace(self, path: Path, content: bytes) -> None:
        descriptor, temporary = tempfile.mkstemp(dir=self._directory)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def _require_out_of_reach(folder: Path) -> None:
    """Raise PermissionError where somebody else could put another folder in the place of one on the way to `folder`."""
    for place in (folder, *folder.parents):
        status = place.stat()
        if status.st_uid not in (0, os.geteuid()):
            raise PermissionError(f"{place} belongs to somebody else, who could replace what is below it")
        if status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX:
            raise PermissionError(f"{place} can be written by others; chmod go-w {place}")


def _compile(wasm: bytes) -> bytes:
    with RUNTIME_LOCK:
        engine = new_engine()
    try:
        try:
            module = Module(engine, wasm)
        except WasmtimeError as error:
            raise ConnectorInvalidError(f"The connector's .wasm file cannot be compiled: {error}") from error
        with RUNTIME_LOCK:
            code = bytes(module.serialize())
            module.close()
    finally:
        with RUNTIME_LOCK:
            engine.close()
    return code


def _is_intact(path: Path) -> bool:
    """Whether the file is ours and has the digest beside it; only the directory's owner could change it after this."""
    expected = _own_content(path.with_suffix(".sha256"))
    if expected is None:
        return False
    try:
        state = path.lstat()
    except OSError:
        return False
    identity = (state.st_dev, state.st_ino, state.st_mode, state.st_uid, state.st_size)
    return _digest(path, identity, (state.st_mtime_ns, state.st_ctime_ns)) == expected


@lru_cache(maxsize=_KNOWN_DIGESTS)
def _digest(path: Path, _identity: tuple[int, ...], _changed: tuple[int, int]) -> bytes | None:
    """Return the digest of a file of ours: from memory, where it is the one that was read and has not changed since."""
    code = _own_content(path)
    return None if code is None else hashlib.sha256(code).hexdigest().encode("ascii")


def _own_content(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        return file.read()


def _key(wasm: bytes) -> str:
    digest = hashlib.sha256(wasm)
    digest.update(
        f"\0{importlib.metadata.version('wasmtime')}\0{platform.system()}\0{platform.machine()}\0{_cpu_flags()}".encode()
    )
    return digest.hexdigest()


def _cpu_flags() -> str:
    """What this processor can do, so that a home shared by several machines keeps code for each of them."""
    try:
        with open(_CPU_FILE, encoding="ascii", errors="replace") as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()
