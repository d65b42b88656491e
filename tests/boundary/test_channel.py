"""The channel as guests see it: back-pressure, the end, the abort, and the order to stop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import replace

import pytest

from boundary.relay_guests import destination_guest, endless_source_guest, moved, source_guest, whole_stream
from boundary.wat_guests import Host, build
from rapidbyte.engine.documents import run_request
from rapidbyte.errors import CancelledRunError, ErrorInfo, FrameError, InternalError, NetworkError
from rapidbyte.frames import Durable, FrameMetadata, FrameQueue, QueueAbortedError
from rapidbyte.model import MIB, CheckpointInterval
from rapidbyte.wasm import Inlet, Outlet
from rapidbyte.wasm.abi import Status

_REQUEST = run_request(0, batch_rows=1, batch_bytes=8, position=None, checkpoint=CheckpointInterval())
_TIMEOUT_S = 5.0
_STILL_S = 0.05  # how long a call must stay blocked to count as blocked


class Books:
    """Writes down what passes, and refuses nothing."""

    def __init__(self) -> None:
        self.sent: list[FrameMetadata] = []
        self.delivered: list[FrameMetadata] = []
        self.durable: list[Durable] = []

    def outlet(self, queue: FrameQueue) -> Outlet:
        return Outlet(queue, self.sent.append)

    def inlet(self, queue: FrameQueue) -> Inlet:
        return Inlet(queue, self.delivered.append, self.durable.append)


@pytest.fixture
def books() -> Books:
    return Books()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def test_frames_pass_in_order_with_their_metadata_and_the_end_follows(
    host: Host, books: Books, threads: ThreadPoolExecutor
) -> None:
    queue = FrameQueue(2, MIB, host.pool)
    destination_wasm = destination_guest({"stream": 0, "rows": 5, "bytes": 40}, moved(5))
    with (
        host.start(source_guest(whole_stream(2, 3), moved(5))) as source,
        host.start(destination_wasm, name="destination test") as destination,
    ):
        receiving: Future[object] = threads.submit(destination.run, _REQUEST, books.inlet(queue))
        assert source.run(_REQUEST, books.outlet(queue)) == moved(5)["ok"]
        queue.finish()
        assert receiving.result(_TIMEOUT_S) == moved(5)["ok"]
    assert [(item.kind.value, item.rows) for item in books.sent] == [
        ("schema", 0),
        ("batch", 2),
        ("batch", 3),
        ("end", 5),
    ]
    assert books.delivered == books.sent
    assert books.durable == [Durable(0, 5, 40)]


def test_a_full_queue_blocks_the_guest_until_there_is_room(
    host: Host, books: Books, threads: ThreadPoolExecutor
) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    with host.start(source_guest(whole_stream(1), moved(1))) as source:
        sending: Future[object] = threads.submit(source.run, _REQUEST, books.outlet(queue))
        with pytest.raises(FutureTimeoutError):
            sending.result(_STILL_S)
        assert len(queue) == 1
        for _ in range(3):
            arrival = queue.get()
            assert arrival is not None
            host.pool.release(arrival[1])
        assert sending.result(_TIMEOUT_S) == moved(1)["ok"]


def test_a_guest_that_is_blocked_on_its_peer_is_not_timed_out(
    host: Host, books: Books, threads: ThreadPoolExecutor
) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    with host.start(source_guest(whole_stream(1), moved(1)), timeout_s=0.1) as source:
        sending: Future[object] = threads.submit(source.run, _REQUEST, books.outlet(queue))
        with pytest.raises(FutureTimeoutError):
            sending.result(0.4)
        queue.abort()
        with pytest.raises(QueueAbortedError):
            sending.result(_TIMEOUT_S)


@pytest.mark.parametrize("is_source", [True, False])
def test_an_abort_wakes_the_guest_and_is_told_apart_from_its_own_errors(
    host: Host, books: Books, threads: ThreadPoolExecutor, is_source: bool
) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    wasm = endless_source_guest() if is_source else destination_guest(None, moved(0))
    with host.start(wasm) as instance:
        port = books.outlet(queue) if is_source else books.inlet(queue)
        running: Future[object] = threads.submit(instance.run, _REQUEST, port)
        with pytest.raises(FutureTimeoutError):
            running.result(_STILL_S)
        queue.abort()
        with pytest.raises(QueueAbortedError):
            running.result(_TIMEOUT_S)


@pytest.mark.parametrize("is_source", [True, False])
def test_an_interrupt_wakes_a_guest_that_waits_for_its_peer(
    host: Host, books: Books, threads: ThreadPoolExecutor, is_source: bool
) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    wasm = endless_source_guest() if is_source else destination_guest(None, moved(0))
    with host.start(wasm) as instance:
        port = books.outlet(queue) if is_source else books.inlet(queue)
        running: Future[object] = threads.submit(instance.run, _REQUEST, port)
        with pytest.raises(FutureTimeoutError):
            running.result(_STILL_S)
        instance.interrupt()
        with pytest.raises(CancelledRunError, match=r"was stopped\.$"):  # by itself: it was not killed
            running.result(_TIMEOUT_S)


def test_a_run_without_progress_is_timed_out(host: Host, books: Books) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    wait = "(drop (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1)))"
    wasm = source_guest([], {"error": {"category": "internal"}}, before_answer=wait)
    with host.start(wasm, timeout_s=0.2) as instance, pytest.raises(NetworkError) as caught:
        instance.run(_REQUEST, books.outlet(queue))
    assert caught.value.code == "timeout"
    with pytest.raises(QueueAbortedError):
        queue.get()


def test_a_refused_frame_stays_with_the_guest(host: Host) -> None:
    def refuse(_: FrameMetadata) -> None:
        raise FrameError("Not this one.", ErrorInfo("invalid_argument"))

    body = """
        (local.set $f (call $frame_new (i64.const 1)))
        (drop (call $frame_seal (local.get $f)))
        (drop (call $emit (local.get $f) (i32.const 0) (i32.const 48)))
        (call $reply (call $frame_len (local.get $f)))"""
    document = '{\\"stream\\":0,\\"kind\\":\\"batch\\",\\"rows\\":1,\\"bytes\\":1}  '
    queue = FrameQueue(1, MIB, host.pool)
    with host.start(build({"rb_run": body}, fields=f'(data (i32.const 0) "{document}")')) as instance:
        assert instance.run(_REQUEST, Outlet(queue, refuse)) == 0
    assert len(queue) == 0


def test_each_side_has_its_own_imports(host: Host, books: Books) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    with host.start(build({"rb_run": "(call $reply (call $next))"})) as source:
        assert source.run(_REQUEST, books.outlet(queue)) == Status.BAD_STATE
    checkpoint = "(call $reply (i64.extend_i32_s (call $checkpoint (i32.const 0) (i32.const 31))))"
    field = '(data (i32.const 0) "{\\"stream\\":0,\\"rows\\":0,\\"bytes\\":0} ")'
    with host.start(build({"rb_run": checkpoint}, fields=field)) as source:
        assert source.run(_REQUEST, books.outlet(queue)) == Status.BAD_STATE
    assert books.durable == []


def _asking(stream: int, capacity: int) -> str:
    """Return code that asks what is durable, and answers with the length and the first byte that was written."""
    ask = f"(call $durable_position (i32.const {stream}) (i32.const 64) (i32.const {capacity}))"
    return f"""
        (global.set $a (i64.extend_i32_s {ask}))
        (call $reply (i64.add (i64.mul (global.get $a) (i64.const 1000)) (i64.load8_u (i32.const 64))))"""


@pytest.mark.parametrize(
    ("position", "capacity", "answer"),
    [
        pytest.param(None, 100, 0, id="none before the first commit"),
        pytest.param({"lsn": "0/1"}, 100, 14_000 + ord("{"), id="the last one"),
        pytest.param({"lsn": "0/1"}, 0, 14_000, id="only its length where there is no room"),
    ],
)
def test_a_source_can_ask_what_is_durable(
    host: Host, books: Books, position: Mapping[str, str] | None, capacity: int, answer: int
) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    outlet = replace(books.outlet(queue), durable_position=lambda stream: position if stream == 0 else None)
    with host.start(build({"rb_run": _asking(0, capacity)})) as source:
        assert source.run(_REQUEST, outlet) == answer


def test_nothing_is_durable_any_more_once_the_other_side_has_failed(host: Host, books: Books) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    queue.abort()
    with host.start(build({"rb_run": _asking(0, 100)})) as source:
        assert source.run(_REQUEST, books.outlet(queue)) == 1000 * Status.ABORTED
    with host.start(build({"rb_run": _asking(0, 100)})) as destination:
        assert destination.run(_REQUEST, books.inlet(queue)) == 1000 * Status.BAD_STATE


def test_a_source_learns_that_it_is_to_stop_and_tells_how_far_ahead_it_is(host: Host, books: Books) -> None:
    queue, told, orders = FrameQueue(1, MIB, host.pool), list[int](), iter((False, True))
    outlet = replace(books.outlet(queue), stop_requested=lambda: next(orders), lag=told.append)
    code = """
        (drop (call $report_lag (i64.const 5000000000)))
        (global.set $a (i64.extend_i32_s (call $stop_requested)))
        (call $reply (i64.add (i64.mul (global.get $a) (i64.const 10)) (i64.extend_i32_s (call $stop_requested))))"""
    with host.start(build({"rb_run": code})) as source:
        assert source.run(_REQUEST, outlet) == 1
    assert told == [5_000_000_000]


@pytest.mark.parametrize(
    ("call", "of_destination"),
    [("(call $stop_requested)", Status.BAD_STATE), ("(call $report_lag (i64.const -1))", Status.BAD_STATE)],
)
def test_only_a_source_is_to_stop_and_only_by_numbers_that_can_be(
    host: Host, books: Books, call: str, of_destination: Status
) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    code = f"(call $reply (i64.extend_i32_s {call}))"
    with host.start(build({"rb_run": code})) as destination:
        assert destination.run(_REQUEST, books.inlet(queue)) == of_destination
    with host.start(build({"rb_run": code})) as source:
        queue.abort()
        expected = Status.ABORTED if "stop" in call else Status.INVALID_ARGUMENT
        assert source.run(_REQUEST, books.outlet(queue)) == expected


def test_the_crash_of_one_guest_leaves_another_running(host: Host, books: Books, threads: ThreadPoolExecutor) -> None:
    queue = FrameQueue(1, MIB, host.pool)
    with host.start(source_guest(whole_stream(1), moved(1))) as healthy:
        running: Future[object] = threads.submit(healthy.run, _REQUEST, books.outlet(queue))
        for _ in range(20):
            with pytest.raises(InternalError):
                host.check("(unreachable)")
        for _ in range(3):
            arrival = queue.get()
            assert arrival is not None
            host.pool.release(arrival[1])
        assert running.result(_TIMEOUT_S) == moved(1)["ok"]
    assert [item.kind.value for item in books.sent] == ["schema", "batch", "end"]
