"""The wasmtime objects of one instance: made together, entered by one thread, closed together."""

from __future__ import annotations

import os
from typing import Any

from wasmtime import Engine, Func, Linker, Memory, Module, Store, Trap, WasmtimeError

from rapidbyte.errors import ConnectorInvalidError, ErrorInfo, InternalError
from rapidbyte.wasm.artifact import Artifact
from rapidbyte.wasm.channel_imports import ChannelImports
from rapidbyte.wasm.grants import NO_GRANTS, Grants
from rapidbyte.wasm.linking import link, require_fitting, require_memory
from rapidbyte.wasm.memory import GuestMemory
from rapidbyte.wasm.report_imports import ReportImports
from rapidbyte.wasm.runtime import RUNTIME_LOCK, new_engine
from rapidbyte.wasm.socket_imports import SocketImports
from rapidbyte.wasm.state_imports import StateImports


class Guest:
    """An instantiated module. `name` is for messages."""

    def __init__(
        self,
        name: str,
        artifact: Artifact,
        max_memory_bytes: int | None,
        imports: tuple[ChannelImports, SocketImports, ReportImports, StateImports],
        grants: Grants = NO_GRANTS,
    ) -> None:
        """Instantiate the module, which runs none of its code. Raises ConnectorInvalidError, and what `grants` does."""
        self._name = name
        self._grants = grants
        self._owned: list[Engine | Module | Store | Linker] = []
        try:
            with RUNTIME_LOCK:
                exports = self._instantiate(artifact, max_memory_bytes, imports)
        except (WasmtimeError, Trap) as error:
            self.close()
            raise ConnectorInvalidError(f"{name} cannot be started: {error}") from error
        except BaseException:
            self.close()
            raise
        memory = exports["memory"]
        if not isinstance(memory, Memory):
            self.close()
            raise ConnectorInvalidError(f"{name} exports a memory that is none.", ErrorInfo("missing_export"))
        self.memory = GuestMemory(memory, self._store)
        for part in imports:
            part.memory = self.memory
        self._functions = {export: item for export, item in exports.items() if isinstance(item, Func)}

    def has_function(self, export: str) -> bool:
        """Whether there is a function to `enter`."""
        return export in self._functions

    def enter(self, export: str, *values: int) -> Any:
        """Run an exported function. Raises Trap and WasmtimeError, and InternalError once closed."""
        if not self._owned:
            raise InternalError(f"{self._name} is closed.", ErrorInfo("closed"))
        function = self._functions.get(export)
        if function is None:
            raise ConnectorInvalidError(
                f"{self._name} exports {export}, but not as a function.", ErrorInfo("missing_export")
            )
        self._store.set_epoch_deadline(1)
        return function(self._store, *values)

    def kill(self) -> None:
        """Interrupt the code that runs in `enter`, from any thread, while it runs."""
        self._engine.increment_epoch()

    def close(self) -> None:
        """Free everything. Safe to repeat."""
        with RUNTIME_LOCK:
            if hasattr(self, "memory"):
                self.memory.close()
            while self._owned:
                self._owned.pop().close()

    def _instantiate(
        self,
        artifact: Artifact,
        max_memory_bytes: int | None,
        imports: tuple[ChannelImports, SocketImports, ReportImports, StateImports],
    ) -> dict[str, object]:
        self._engine = new_engine()
        self._owned.append(self._engine)
        module = artifact.load(self._engine)
        self._owned.append(module)
        require_fitting(module)
        self._store = Store(self._engine)
        self._owned.append(self._store)
        self._store.set_epoch_deadline(1)
        self._store.set_wasi(self._grants.wasi(os.environ))
        if max_memory_bytes is not None:
            require_memory(module, max_memory_bytes)
            self._store.set_limits(memory_size=max_memory_bytes)
        linker = link(self._engine, self._store, *imports)
        self._owned.append(linker)
        return dict(linker.instantiate(self._store, module).exports(self._store).items())
