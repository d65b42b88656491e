"""One connector on a thread of its own, which does all its work in order.

Every method but `interrupt` and `close` returns at once with a future. A failure is noted where it happens, before
anybody else can learn of it, so that the first of several is known.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from rapidbyte.engine.blame import is_about_sender, of_sender
from rapidbyte.engine.plan import GuestPlan
from rapidbyte.engine.points import reach
from rapidbyte.errors import CancelledRunError
from rapidbyte.frames import BufferPool, FrameLimits
from rapidbyte.wasm import Call, Instance, InstanceSetup, InstanceUsage, Level, Port, StatePort, Watchdog

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the stages of one run share: memory, the watchdog, whom to tell of what happens, and what each keeps."""

    pool: BufferPool
    watchdog: Watchdog
    on_log: Callable[[str, Level, str], None]
    on_failure: Callable[[BaseException], None]
    on_usage: Callable[[str, InstanceUsage], None]
    state_of: Callable[[str], StatePort]


class Stage:
    """A connector and its thread. `close` is always to be called."""

    def __init__(self, plan: GuestPlan, surroundings: Surroundings) -> None:
        self._plan = plan
        self._surroundings = surroundings
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=plan.name)
        self._instance: Instance | None = None
        self._is_interrupted = False
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The connector's name for messages."""
        return self._plan.name

    def open(self) -> Future[None]:
        """Instantiate the connector and let it connect."""
        return self._submit(self._open)

    def call(self, call: Call, request: Mapping[str, object], read: Callable[[Any], _Result]) -> Future[_Result]:
        """Call the lifecycle; the future gives what `read` makes of the answer."""
        return self._submit(lambda: read(self._running().call(call, request)))

    def run(
        self, request: Mapping[str, object], port: Port, verify: Callable[[Any], None], *, sender: str | None = None
    ) -> Future[None]:
        """Let the connector run at one end of a channel, which `sender` feeds.

        `verify` sees the answer and raises if it is not what happened. A channel that the connector feeds is finished
        after it; every failure aborts those on both of its sides. A frame that the connector cannot read is a failure
        of its sender.
        """
        return self._executor.submit(self._run, request, port, verify, sender)

    def interrupt(self) -> None:
        """Cancel the present call and what is still to come, from any thread."""
        with self._lock:
            self._is_interrupted = True
            if self._instance is not None:
                self._instance.interrupt()

    def drained(self) -> Future[None]:
        """Return a future that is done when all that was asked before is."""
        return self._executor.submit(lambda: None)

    def begin_close(self) -> Future[None]:
        """Close the connector after what it was asked before."""
        return self._executor.submit(self._close)

    def end(self) -> None:
        """Wait for the thread."""
        self._executor.shutdown()

    def _submit(self, work: Callable[[], _Result]) -> Future[_Result]:
        return self._executor.submit(self._noting, work)

    def _noting(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except BaseException as error:
            self._surroundings.on_failure(error)
            raise

    def _open(self) -> None:
        plan, around = self._plan, self._surroundings
        setup = InstanceSetup(
            name=plan.name,
            rules=plan.rules,
            timeout_s=plan.timeout_s,
            pool=around.pool,
            watchdog=around.watchdog,
            on_log=self._hear,
            frame_limits=FrameLimits(frame_bytes=plan.max_frame_bytes, total_bytes=4 * plan.max_frame_bytes),
            max_memory_bytes=plan.max_memory_bytes,
            state=around.state_of(plan.name),
            grants=plan.grants,
        )
        instance = Instance(plan.artifact, setup)
        with self._lock:
            self._instance = instance
            if self._is_interrupted:
                instance.interrupt()
        instance.call(Call.OPEN, {"config": plan.config})

    def _hear(self, level: Level, message: str) -> None:
        if level is Level.POINT:
            reach(message)
        else:
            self._surroundings.on_log(self._plan.name, level, message)

    def _run(
        self, request: Mapping[str, object], port: Port, verify: Callable[[Any], None], sender: str | None
    ) -> None:
        try:
            verify(self._running().run(request, port))
        except BaseException as error:
            failure = error
            if sender is not None and port.has_received and is_about_sender(error):
                failure = of_sender(error, sender, self.name)
            self._surroundings.on_failure(failure)
            port.abort()
            if failure is not error:
                raise failure from error
            raise
        port.finish()

    def _running(self) -> Instance:
        if self._instance is None or self._is_interrupted:
            raise CancelledRunError(f"{self.name} was stopped.")
        return self._instance

    def _close(self) -> None:
        with self._lock:
            instance, self._instance = self._instance, None
        if instance is not None:
            instance.close()
            self._surroundings.on_usage(self.name, instance.usage)
