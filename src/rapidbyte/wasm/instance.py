"""One connector at work: instantiated, called with JSON, interrupted, closed.

An instance is driven by one thread at a time; `interrupt` may come from any. It owns its engine, store, frames and
sockets, and gives them back in `close`, which is always to be called. After a trap nothing but `close` works.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from wasmtime import Trap, WasmtimeError

from rapidbyte.errors import (
    CancelledRunError,
    ConnectorCrashError,
    ErrorInfo,
    InternalError,
    NetworkError,
    RapidbyteError,
)
from rapidbyte.frames import BufferPool, FrameLimits, FrameTable, QueueAbortedError
from rapidbyte.net import HostRules, Interrupt, InterruptReason, SocketTable
from rapidbyte.net.connect import Connector
from rapidbyte.wasm.abi import CLOSE_GRACE_S, MAX_RESULT_BYTES, OPTIONAL_CALLS, Call, Level
from rapidbyte.wasm.activity import Activity
from rapidbyte.wasm.artifact import Artifact
from rapidbyte.wasm.channel_imports import ChannelImports
from rapidbyte.wasm.crash import crash_of
from rapidbyte.wasm.grants import NO_GRANTS, Grants
from rapidbyte.wasm.guarding import Refusals
from rapidbyte.wasm.guest import Guest
from rapidbyte.wasm.ports import NO_STATE, Port, StatePort
from rapidbyte.wasm.report_imports import ReportImports
from rapidbyte.wasm.results import bad_result, unpack_result
from rapidbyte.wasm.socket_imports import SocketImports
from rapidbyte.wasm.state_imports import StateImports
from rapidbyte.wasm.watchdog import Watchdog


@dataclass(frozen=True, slots=True)
class InstanceSetup:
    """What an instance may use, and whom it tells. `name` is for messages, such as `source postgres`."""

    name: str
    rules: HostRules
    timeout_s: float
    pool: BufferPool
    watchdog: Watchdog
    on_log: Callable[[Level, str], None]
    frame_limits: FrameLimits
    max_memory_bytes: int | None
    state: StatePort = NO_STATE
    grants: Grants = NO_GRANTS


@dataclass(frozen=True, slots=True)
class InstanceUsage:
    """What an instance used from its start to its end: its greatest memory, host calls, and time of its thread."""

    memory_bytes: int
    host_calls: int
    cpu_s: float


class Instance:
    """A running connector. Use it through `with`, or call `close`."""

    def __init__(self, artifact: Artifact, setup: InstanceSetup) -> None:
        """Instantiate the connector and let it initialise. Raises ConnectorInvalidError and ConnectorCrashError."""
        self._setup = setup
        self._interrupt = Interrupt()
        self._refusals = Refusals(self._interrupt)
        self._activity = Activity()
        self._channel = ChannelImports(
            self._refusals, FrameTable(setup.frame_limits, setup.pool), setup.pool, self._activity
        )
        self._sockets = SocketImports(
            self._refusals, SocketTable(self._interrupt), Connector(setup.rules, self._interrupt), self._activity
        )
        self._report = ReportImports(self._refusals, setup.on_log)
        self._is_open = False
        self._has_ended = False
        self._cpu_s = 0.0
        self._memory_bytes = 0
        try:
            imports = (self._channel, self._sockets, self._report, StateImports(self._refusals, setup.state))
            self._guest = Guest(setup.name, artifact, setup.max_memory_bytes, imports, setup.grants)
        except BaseException:
            self._interrupt.close()
            raise
        try:
            self._initialize()
        except BaseException:
            self.close()
            raise

    def call(self, call: Call, request: Mapping[str, object]) -> Any:
        """Call the lifecycle and return the value of its `ok`; blocks at most `timeout_s` and a grace.

        Raises the guest's own error, NetworkError or ConnectorCrashError with code `timeout`, CancelledRunError after
        an `interrupt`, QueueAbortedError when the peer failed first, and ConnectorCrashError after a trap.
        """
        if call in OPTIONAL_CALLS and not self._guest.has_function(call.value):
            return {}
        due_at = time.monotonic() + self._setup.timeout_s
        return self._guarded_call(call, request, lambda: due_at)

    def run(self, request: Mapping[str, object], port: Port) -> Any:
        """Call `rb_run` with one end of a channel, or of two. It may last while bytes move; raises what `call` does."""
        self._activity.beat()
        self._channel.port = port
        try:
            with self._interrupt.listening(port.abort):
                return self._guarded_call(
                    Call.RUN, request, lambda: self._activity.idle_since() + self._setup.timeout_s
                )
        finally:
            self._channel.port = None

    @property
    def usage(self) -> InstanceUsage:
        """What the instance has used; it is complete after `close`."""
        return InstanceUsage(self._memory_bytes, self._refusals.calls, self._cpu_s)

    def interrupt(self) -> None:
        """Tell the guest to stop, from any thread; its present call and all later ones but `rb_close` are cancelled."""
        self._interrupt.fire(InterruptReason.CANCELLED)

    def close(self) -> None:
        """Let the guest say goodbye, at most CLOSE_GRACE_S, unless it crashed; then free all. Safe to repeat."""
        if self._is_open and not self._has_ended:
            self._is_open = False
            self._interrupt.clear()
            due_at = time.monotonic() + CLOSE_GRACE_S
            try:
                self._guarded_call(Call.CLOSE, {}, lambda: due_at)
            except RapidbyteError as error:
                self._setup.on_log(Level.WARN, f"{self._setup.name} did not close cleanly: {error}")
        self._has_ended = True
        self._refusals.is_closed = True
        self._channel.frames.close()
        self._sockets.sockets.close()
        self._interrupt.close()
        self._guest.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _initialize(self) -> None:
        if self._guest.has_function("_initialize"):
            due_at = time.monotonic() + self._setup.timeout_s
            self._guarded(lambda: self._guest.enter("_initialize"), lambda: due_at)

    def _guarded_call(self, call: Call, request: Mapping[str, object], due: Callable[[], float]) -> Any:
        if self._has_ended:
            raise InternalError(f"{self._setup.name} has ended; no further call is possible.", ErrorInfo("closed"))
        if call is Call.OPEN:
            self._is_open = True
            self._sockets.take_config(request.get("config"))
        self._refusals.host_error = None
        document = self._guarded(lambda: self._exchange(call, json.dumps(request).encode("utf-8")), due)
        try:
            return unpack_result(document, self._setup.name)
        except RapidbyteError as error:
            raise self._true_reason(error) from self._refusals.cause_of(error)

    def _guarded(self, act: Callable[[], Any], due: Callable[[], float]) -> Any:
        """Run guest code under the watchdog; a trap ends the instance."""
        began_s = time.thread_time()
        try:
            with self._setup.watchdog.guard(self._interrupt, due, self._guest.kill):
                return act()
        except (Trap, WasmtimeError) as error:
            self._has_ended = True
            raise self._crash(error) from error
        finally:
            self._cpu_s += time.thread_time() - began_s
            self._memory_bytes = self._guest.memory.size_bytes  # it never shrinks

    def _exchange(self, call: Call, request: bytes) -> bytes:
        """Pass a request and fetch the result; a pointer outside the memory ends the instance."""
        pointer = self._guest.enter("rb_alloc", len(request))
        if pointer == 0 and request:
            raise bad_result(self._setup.name, "it has no room for a request")
        try:
            self._guest.memory.view(pointer, len(request))[:] = request
            packed = self._guest.enter(call.value, pointer, len(request))
            length = packed & 0xFFFFFFFF
            if length > MAX_RESULT_BYTES:
                raise bad_result(self._setup.name, f"it has {length} bytes, more than {MAX_RESULT_BYTES}")
            return self._guest.memory.read(packed >> 32, length)
        except InternalError as error:
            self._has_ended = True
            if error.code != "bad_pointer":
                raise
            details = (("connector", self._setup.name),)
            raise InternalError(
                f"{self._setup.name}: {error.message}", ErrorInfo(error.code, details=details)
            ) from error

    def _true_reason(self, error: RapidbyteError) -> RapidbyteError:
        """Return what a guest's error is really due to: an order to stop, a failure of the host, or itself."""
        setup = self._setup
        if self._interrupt.reason is InterruptReason.CANCELLED:
            return CancelledRunError(f"{setup.name} was stopped.")
        if self._interrupt.reason is InterruptReason.TIMED_OUT:
            return NetworkError(_timeout_message(setup), ErrorInfo("timeout", retryable=True))
        if self._refusals.has_aborted_peer:
            return QueueAbortedError(f"{setup.name} gave up, since the other side of the channel failed.")
        host_error = self._refusals.host_error
        if isinstance(host_error, RapidbyteError):
            return host_error
        if host_error is not None:
            return InternalError(f"The host failed while it served {setup.name}: {host_error}", ErrorInfo("host"))
        return error

    def _crash(self, error: Trap | WasmtimeError) -> RapidbyteError:
        setup = self._setup
        if self._interrupt.reason is InterruptReason.CANCELLED:
            return CancelledRunError(f"{setup.name} was stopped, and did not return by itself.")
        if self._interrupt.reason is InterruptReason.TIMED_OUT:
            return ConnectorCrashError(_timeout_message(setup), ErrorInfo("timeout"))
        return crash_of(
            error, setup.name, self._guest.memory.size_bytes, setup.max_memory_bytes, self._report.last_stderr
        )


def _timeout_message(setup: InstanceSetup) -> str:
    return (
        f"{setup.name} made no progress for {setup.timeout_s:g} s. See what it waits for, or raise its "
        "limits.timeout_seconds."
    )
