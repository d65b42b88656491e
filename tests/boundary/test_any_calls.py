"""Any calls of any imports, with any arguments, at any point of the lifecycle: a status, exact books, and no leak.

What is counted are calls of imports that a guest made and whose answer was judged, without those at its close: the
nightly profile makes more than 100,000 of them.
"""

from __future__ import annotations

import json
import os
import select
import socket
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from boundary.any_call_guest import (
    DOCUMENTS_AT,
    IMPORTS,
    MEMORY_BYTES,
    MOST_CALLS,
    OF_WASI,
    Attempt,
    Import,
    answers_of,
    any_call_guest,
    encoded,
    request_of,
)
from boundary.wat_guests import Host, build
from harness.profiles import is_nightly
from rapidbyte.frames import Buffer, BufferPool, FrameKind, FrameLimits, FrameMetadata, FrameQueue, FrameTable
from rapidbyte.model import KIB, MIB
from rapidbyte.net import HostRules, Interrupt, InterruptReason, SocketTable
from rapidbyte.net.connect import Connector, Endpoint
from rapidbyte.wasm import Call, Inlet, Outlet, Relay, StateName, StatePort
from rapidbyte.wasm.abi import Status, WasiErrno
from rapidbyte.wasm.activity import Activity
from rapidbyte.wasm.artifact import Artifact
from rapidbyte.wasm.channel_imports import ChannelImports
from rapidbyte.wasm.guarding import Refusals
from rapidbyte.wasm.guest import Guest
from rapidbyte.wasm.report_imports import ReportImports
from rapidbyte.wasm.socket_imports import SocketImports
from rapidbyte.wasm.state_imports import StateImports

_FAST_CALLS = 500
_NIGHTLY_CALLS = 100_000
_LIMITS = FrameLimits(frame_bytes=64 * KIB, frames=6, total_bytes=160 * KIB)
_STATUSES = frozenset(int(status) for status in Status) - {Status.INTERNAL}
_TIMEOUTS = {"sock_connect": 3, "sock_wait": 2, "sock_start_tls": 3}  # where a number would make the test wait
_DOCUMENTS = {  # at which places an import takes a pointer and a length
    "log": (1,),
    "emit": (1,),
    "checkpoint": (0,),
    "reject": (0,),
    "sock_connect": (0,),
    "sock_start_tls": (1,),
    "state_get": (0,),
    "state_put": (0, 2),
    "state_compare_and_swap": (0, 2, 4),
}
_TEXTS = (
    b'{"stream":0,"kind":"batch","rows":1,"bytes":8}',
    b'{"stream":0,"kind":"batch","rows":1,"bytes":8,"position":{"at":"\\ud800"}}',
    b'{"stream":0,"kind":"end","rows":1e400,"bytes":8}',
    b'{"stream":0,"rows":1,"bytes":8}',
    b'{"stream":0,"category":"data","code":"c","reasons":["why"],"row":{"id":null}}',
    b'{"scope":"pipeline","name":"a"}',
    b'{"scope":"stream","stream":0,"name":"\\ud800"}',
    b'{"server_name":"h","verify":"none"}',
    b'{"server_name":"\\u0000","verify":"full","roots":"/etc/shadow"}',
    b"known.example",
    b"\xff\xfe",
    b"[" * 1200,
    b"",
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_EDGES = st.sampled_from([0, 1, 2, 3, 4, 8, 16, 64, 255, 1023, 1024, 8 * KIB, DOCUMENTS_AT, -1, -8])
_I32 = (
    _EDGES
    | st.sampled_from([MEMORY_BYTES - 1, MEMORY_BYTES, MEMORY_BYTES + 1, 2**31 - 1, -(2**31)])
    | st.integers(-(2**31), 2**31 - 1)
)
_I64 = _EDGES | st.sampled_from([2**31, 2**32, 2**62, 2**63 - 1, -(2**63)]) | st.integers(-(2**63), 2**63 - 1)


class CountingPool(BufferPool):
    """Knows how many buffers are with somebody."""

    out = 0

    def acquire(self, capacity: int) -> Buffer:
        self.out += 1
        return super().acquire(capacity)

    def release(self, buffer: Buffer) -> None:
        self.out -= 1
        super().release(buffer)


@st.composite
def _attempts(draw: st.DrawFn, frames: tuple[int, ...], sockets: tuple[int, ...]) -> tuple[list[Attempt], bytes]:
    """Draw calls and the documents that they may point to; handles that are known are among their arguments."""
    texts = [*_TEXTS, *(json.dumps(value).encode() for value in draw(st.lists(_JSON, max_size=2)))]
    places = [DOCUMENTS_AT + sum(map(len, texts[:index])) for index in range(len(texts))]
    spans = st.sampled_from([(at, len(text)) for at, text in zip(places, texts, strict=True)])
    known = st.sampled_from([*frames, *sockets]) if frames or sockets else st.just(0)

    def one(part: Import) -> Attempt:
        drawn = [draw(_I32 if kind == "i32" else known | _I64) for kind in part.parameters]
        for place in _DOCUMENTS.get(part.name, ()):
            if draw(st.booleans()):
                drawn[place : place + 2] = draw(spans)
        if part.name in _TIMEOUTS:
            drawn[_TIMEOUTS[part.name]] = draw(st.integers(0, 2))
        return Attempt(part.name, tuple(drawn))

    chosen = draw(st.lists(st.sampled_from(IMPORTS), min_size=1, max_size=MOST_CALLS))
    return [one(part) for part in chosen], b"".join(texts)


class AnyCalls(RuleBasedStateMachine):
    """One guest, the host's side of it, and a model of the frames that it holds."""

    host: Host
    artifact: Artifact
    calls = 0

    def __init__(self) -> None:
        super().__init__()
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.pool = CountingPool(MIB)
        self.interrupt = Interrupt()
        self.refusals = Refusals(self.interrupt)
        self.frames = FrameTable(_LIMITS, self.pool)
        self.upstream = FrameQueue(100, 16 * MIB, self.pool)
        self.downstream = FrameQueue(1000, 16 * MIB, self.pool)
        self.upstream_is_finished = False
        self.model: dict[int, int] = {}  # capacities by handle
        self.kept: dict[StateName, bytes] = {}
        self.folder = tempfile.TemporaryDirectory()
        self.listener = socket.socket(socket.AF_UNIX)
        self.peers: list[socket.socket] = []

    @initialize(arriving_bytes=st.integers(0, 64 * KIB))
    def start(self, arriving_bytes: int) -> None:
        self.arriving_bytes = arriving_bytes
        path = str(Path(self.folder.name) / "s")
        self.listener.bind(path)
        self.listener.listen()
        self.listener.setblocking(False)
        resolver = lambda _host, _port: (Endpoint(socket.AF_UNIX, path),)  # noqa: E731
        rules = HostRules.of(("known.example",))
        self.sockets = SocketTable(self.interrupt)
        activity = Activity()
        self.channel = ChannelImports(self.refusals, self.frames, self.pool, activity)
        imports = (
            self.channel,
            SocketImports(self.refusals, self.sockets, Connector(rules, self.interrupt, resolver), activity),
            ReportImports(self.refusals, lambda _level, _line: None),
            StateImports(self.refusals, StatePort(self.kept.get, self.kept.__setitem__, self._swap)),
        )
        self.guest = Guest("source test", self.artifact, 2 * MEMORY_BYTES, imports)
        self.open_sockets: tuple[int, ...] = ()

    def _swap(self, name: StateName, old: bytes | None, new: bytes | None) -> bool:
        if self.kept.get(name) != old:
            return False
        self.kept.pop(name, None)
        if new is not None:
            self.kept[name] = new
        return True

    @rule(side=st.sampled_from(["none", "outlet", "inlet", "relay"]))
    def connect(self, side: str) -> None:
        """Be at rest, or run at some place of a channel."""
        ignore = lambda *_: None  # noqa: E731
        self.channel.port = {
            "none": None,
            "outlet": Outlet(self.downstream, ignore, ignore, lambda stream: (0, 9) if stream else None),
            "inlet": Inlet(self.upstream, ignore, ignore, ignore),
            "relay": Relay(self.upstream, self.downstream, ignore, ignore, ignore),
        }[side]

    @rule(count=st.integers(1, 3))
    def arrive(self, count: int) -> None:
        """Let frames come from the other side, all of one size."""
        size = self.arriving_bytes
        for _ in range(count if not self.upstream_is_finished and len(self.upstream) < 50 else 0):
            buffer = self.pool.acquire(size)
            buffer.append(memoryview(bytearray(size)))
            self.upstream.put(FrameMetadata(0, FrameKind.BATCH, 1, size), buffer)

    @rule()
    def be_stopped(self) -> None:
        """Tell the guest to stop, now and again."""
        if self.interrupt.reason is None:
            self.interrupt.fire(InterruptReason.CANCELLED)
        else:
            self.interrupt.clear()

    @rule(data=st.data(), call=st.sampled_from(Call))
    def make_calls(self, data: st.DataObject, call: Call) -> None:
        """Make calls within some call of the lifecycle."""
        attempts, documents = data.draw(_attempts(tuple(self.model), self.open_sockets))
        if self.channel.port is not None and not self.upstream_is_finished and len(self.upstream) < MOST_CALLS:
            self.upstream.finish()  # a guest that waits for what does not come is the subject of other tests
            self.upstream_is_finished = True
        for attempt, answer in zip(attempts, self._enter(call, attempts, documents), strict=True):
            self._judge(attempt, answer)
            type(self).calls += 1
        self._serve()

    def _enter(self, call: Call, attempts: list[Attempt], documents: bytes) -> tuple[int, ...]:
        request = encoded(request_of(attempts, documents))
        pointer = self.guest.enter("rb_alloc", len(request))
        self.guest.memory.view(pointer, len(request))[:] = request
        packed = self.guest.enter(call.value, pointer, len(request))
        return answers_of(json.loads(self.guest.memory.read(packed >> 32, packed & 0xFFFFFFFF))["ok"])

    def _judge(self, attempt: Attempt, answer: int) -> None:
        if attempt.name in OF_WASI:
            assert answer in set(WasiErrno), attempt
            return
        assert answer in _STATUSES or answer >= 0, (attempt, answer, self.refusals.message)
        first = attempt.arguments[0] if attempt.arguments else 0
        if attempt.name == "frame_new" and answer >= 0:
            self.model[answer] = first
        elif attempt.name == "next" and answer >= 0:
            self.model[answer] = self.arriving_bytes
        elif attempt.name in ("frame_drop", "emit") and answer == Status.OK:
            self.model.pop(first, None)
        elif attempt.name == "sock_connect" and answer >= 0:
            self.open_sockets += (answer,)

    def _serve(self) -> None:
        """Be the server: greet who comes. Take what was sent on, too, so that no queue is ever full."""
        while select.select([self.listener], [], [], 0)[0]:
            peer, _ = self.listener.accept()
            peer.sendall(b"hello")
            self.peers.append(peer)
        while len(self.downstream):
            arrival = self.downstream.get()
            assert arrival is not None
            self.pool.release(arrival[1])

    @invariant()
    def the_host_has_not_failed(self) -> None:
        assert self.refusals.host_error is None

    @invariant()
    def the_books_are_exact(self) -> None:
        assert len(self.frames) == len(self.model)
        assert self.frames.total_bytes == sum(self.model.values())
        assert self.pool.out == len(self.model) + len(self.upstream)

    def teardown(self) -> None:
        if hasattr(self, "guest"):
            self.refusals.is_closed = True
            names = [part for part in IMPORTS if part.name not in OF_WASI][:MOST_CALLS]
            closed = [Attempt(part.name, (0,) * len(part.parameters)) for part in names]
            assert set(self._enter(Call.CLOSE, closed, b"")) == {Status.CLOSED}
            self.sockets.close()
            self.guest.close()
        self.frames.close()
        self.upstream.abort()
        self.interrupt.close()
        for part in (self.listener, *self.peers):
            part.close()
        self.folder.cleanup()
        assert (self.pool.out, len(self.frames), self.frames.total_bytes) == (0, 0, 0)
        self.pool.close()
        assert len(os.listdir("/proc/self/fd")) == self.descriptors


def test_whatever_a_guest_calls_is_answered_with_a_status_and_leaves_nothing(host: Host) -> None:
    class Machine(AnyCalls):
        pass

    Machine.host, Machine.artifact = host, host.artifacts.get(any_call_guest())
    wanted = _NIGHTLY_CALLS if is_nightly() else _FAST_CALLS
    with host.start(build({"rb_check": "(call $reply (i64.const 7))"})) as neighbour:
        while Machine.calls <= wanted:  # how long a machine gets is for hypothesis to say
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=100 if is_nightly() else 10,
                    stateful_step_count=100 if is_nightly() else 30,
                    deadline=None,
                    derandomize=False,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        assert neighbour.call(Call.CHECK, {}) == 7


def test_every_import_of_the_host_is_among_the_calls() -> None:
    assert {part.name for part in IMPORTS} == OF_WASI | {
        name for part in (ChannelImports, SocketImports, ReportImports, StateImports) for name in _imports_of(part)
    }


def _imports_of(owner: type) -> set[str]:
    return {name for name, item in vars(owner).items() if hasattr(item, "__wrapped__")}
