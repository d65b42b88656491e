"""Streams that several lanes move: the ranges that a source takes, and what a destination publishes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import MakeDocument
from boundary.part_guests import COPIED_AT, EXTENT, TAKE, sharing_destination, source_of_changes, source_of_ranges
from boundary.relay_guests import destination_guest, failure, moved
from boundary.wat_guests import Host, build
from rapidbyte.engine.documents import run_request
from rapidbyte.errors import InternalError
from rapidbyte.frames import BufferPool, FrameQueue
from rapidbyte.model import KIB, CheckpointInterval
from rapidbyte.wasm import Call, Inlet, Outlet
from rapidbyte.wasm.abi import Status

_RUN = run_request(0, batch_rows=1, batch_bytes=8, position=None, checkpoint=CheckpointInterval())
_CHECKPOINT = {"stream": 0, "rows": 5, "bytes": 40}

RunParts = Callable[[bytes, bytes], rapidbyte.RunReport]


@pytest.fixture
def run_parts(document: MakeDocument, state_path: Path) -> RunParts:
    """Run a pair of guests with two lanes."""
    return lambda source, destination: rapidbyte.run_pipeline(
        document(source, destination, parallelism=2), state_path=state_path
    )


def test_stream_that_several_lanes_moved_is_published_with_its_sums(run_parts: RunParts) -> None:
    (stream,) = run_parts(source_of_ranges(), sharing_destination(moved(5))).streams
    assert (stream.rows_read, stream.rows_written, stream.bytes_read, stream.attempts) == (5, 5, 40, 1)


@pytest.mark.parametrize("lanes", [1, 2])
def test_stream_is_cut_only_for_several_lanes_and_a_destination_that_takes_parts(
    document: MakeDocument, state_path: Path, lanes: int
) -> None:
    nothing = {"stream": 0, "rows": 0, "bytes": 0}
    destination = destination_guest(nothing, moved(0), resumed={"ok": {"receipt": None}})
    values = document(source_of_ranges(), destination, parallelism=lanes)
    (stream,) = rapidbyte.run_pipeline(values, state_path=state_path).streams  # without a range it sends nothing
    assert (stream.rows_read, stream.lanes) == (0, 1)


@pytest.mark.parametrize(
    ("published", "code"),
    [(moved(4), "bad_result"), (None, "bad_result"), (failure("lost", "internal"), "lost")],
    ids=["fewer rows", "no such call", "an error"],
)
def test_what_is_not_published_whole_fails(run_parts: RunParts, published: dict[str, object] | None, code: str) -> None:
    with pytest.raises(InternalError) as caught:
        run_parts(source_of_ranges(), sharing_destination(published))
    assert caught.value.code == code


def test_part_is_not_durable_by_itself(run_parts: RunParts) -> None:
    with pytest.raises(InternalError) as caught:
        run_parts(source_of_ranges(), sharing_destination(moved(5), checkpoint=_CHECKPOINT))
    assert caught.value.code == "refused"


def test_source_that_leaves_ranges_is_at_fault(run_parts: RunParts) -> None:
    none = "(i32.const -2)"
    with pytest.raises(InternalError, match="The source ended before it had read all of t") as caught:
        run_parts(source_of_ranges(none), sharing_destination(moved(5)))
    assert caught.value.code == "incomplete_stream"


@pytest.fixture
def run_copies(document: MakeDocument, state_path: Path) -> RunParts:
    """Run a pair of guests with two lanes, the one with changes."""

    def run(source: bytes, destination: bytes) -> rapidbyte.RunReport:
        values = dict(document(source, destination, parallelism=2, max_retries=0))
        streams = [{"name": "t", "sync_mode": "cdc"}]
        values["source"] = {**values["source"], "streams": streams}  # type: ignore[dict-item]  # it is a section
        return rapidbyte.run_pipeline(values, state_path=state_path)

    return run


def test_copy_of_several_lanes_is_published_before_the_changes_come(run_copies: RunParts) -> None:
    snapshotted = {"ok": {"snapshot": {"id": "2"}, "positions": [COPIED_AT]}}
    (stream,) = run_copies(source_of_changes(snapshotted), sharing_destination(moved(5))).streams
    assert (stream.rows_read, stream.rows_written, stream.bytes_read, stream.batches) == (6, 6, 48, 3)


@pytest.mark.parametrize(
    ("snapshotted", "published", "code"),
    [
        (None, moved(5), "bad_result"),
        ({"ok": {"snapshot": {}, "positions": []}}, moved(5), "bad_result"),
        (failure("no_slot", "internal"), moved(5), "no_slot"),
        ({"ok": {"snapshot": {}, "positions": [COPIED_AT]}}, moved(4), "bad_result"),
    ],
    ids=["no such call", "no position", "an error", "fewer rows"],
)
def test_copy_that_cannot_be_begun_or_published_fails(
    run_copies: RunParts, snapshotted: dict[str, object] | None, published: dict[str, object], code: str
) -> None:
    with pytest.raises(InternalError) as caught:
        run_copies(source_of_changes(snapshotted), sharing_destination(published))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (TAKE, Status.OK),
        ("(call $next_range (i32.const 1) (i32.const 0))", Status.BAD_STATE),
        ("(call $next_range (i32.const 0) (i32.const -8))", Status.BAD_POINTER),
    ],
)
def test_range_is_given_for_the_stream_that_is_cut(host: Host, body: str, answer: Status) -> None:
    def next_range(stream: int) -> tuple[int, int] | None:
        taken.append(stream)
        return (3, EXTENT) if stream == 0 else refuse(stream)

    taken: list[int] = []
    refuse = Outlet(FrameQueue(1, KIB, host.pool), lambda _: None).next_range
    outlet = Outlet(FrameQueue(1, KIB, host.pool), lambda _: None, next_range=next_range)
    with host.start(build({"rb_run": f"(call $reply (i64.extend_i32_s {body}))"})) as source:
        assert source.run(_RUN, outlet) == answer
    assert len(taken) == (answer is not Status.BAD_POINTER)  # a range that cannot be written is not lost


def test_range_is_two_numbers(host: Host) -> None:
    sum_of_both = "(call $reply (i64.add (i64.load (i32.const 0)) (i64.load (i32.const 8))))"
    outlet = Outlet(FrameQueue(1, KIB, host.pool), lambda _: None, next_range=lambda _: (3, 2**40))
    with host.start(build({"rb_run": f"(drop {TAKE}) {sum_of_both}"})) as source:
        assert source.run(_RUN, outlet) == 3 + 2**40


def test_only_a_source_that_runs_gets_ranges(host: Host) -> None:
    body = f"(call $reply (i64.extend_i32_s {TAKE}))"
    assert host.check(body) == Status.BAD_STATE
    inlet = Inlet(FrameQueue(1, KIB, BufferPool(0)), lambda _: None, lambda _: None)
    with host.start(build({"rb_run": body})) as destination:
        assert destination.run(_RUN, inlet) == Status.BAD_STATE
    with host.start(build({"rb_run": body})) as source:
        assert source.run(_RUN, Outlet(FrameQueue(1, KIB, host.pool), lambda _: None)) == Status.BAD_STATE
        assert [source.call(call, {}) for call in (Call.PUBLISH, Call.HOLDINGS, Call.SNAPSHOT)] == [{}, {}, {}]
