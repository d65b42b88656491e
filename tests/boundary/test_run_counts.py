"""What a run counts and tells, over one lane and over several."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import ENDLESS, GOOD_DESTINATION, GOOD_SOURCE, MakeDocument, Run, recorded
from boundary.relay_guests import STREAM, destination_guest, identity_guest, moved, source_guest, whole_stream
from rapidbyte.errors import ConnectorCrashError
from rapidbyte.model import KIB, RunStatus
from rapidbyte.wasm import Level


def with_streams(values: Mapping[str, object], count: int, lanes: int) -> Mapping[str, object]:
    """Return a document that moves `count` streams over `lanes`."""
    source = values["source"]
    assert isinstance(source, dict)
    streams = [{"name": f"t{index}", "sync_mode": "full_refresh"} for index in range(count)]
    return {**values, "source": {**source, "streams": streams}, "resources": {"parallelism": lanes}}


def _source_of(count: int, **options: str) -> bytes:
    prepared = {"ok": {"streams": [STREAM] * count}}
    return source_guest(whole_stream(2, 3), moved(5), prepared=prepared, **options)


def test_a_run_counts_what_was_sent_and_what_is_durable(run: Run, state_path: Path) -> None:
    report = run(GOOD_SOURCE, GOOD_DESTINATION)
    (stream,) = report.streams
    assert (stream.name, stream.rows_read, stream.rows_written, stream.bytes_read) == ("t", 5, 5, 40)
    assert (stream.batches, stream.attempts, report.status) == (2, 1, RunStatus.COMPLETED)
    assert recorded(state_path) == (RunStatus.COMPLETED, None)


def test_a_run_tells_what_each_connector_used(document: MakeDocument, state_path: Path) -> None:
    values = with_streams(
        document(_source_of(2), GOOD_DESTINATION, transforms=[identity_guest(4, 5, streams=[STREAM] * 2)]), 2, 2
    )
    used = rapidbyte.run_pipeline(values, state_path=state_path).connectors
    assert [(usage.connector, usage.instances) for usage in used] == [
        ("source test", 2),
        ("transform test", 2),
        ("destination test", 2),
    ]
    assert [usage.memory_peak_bytes for usage in used] == [2 * 64 * KIB] * 3
    # For each stream four frames: made, filled, sealed and sent; taken, looked at and sent on; taken and dropped, and
    # then the end and a checkpoint.
    assert [usage.host_calls for usage in used] == [2 * 4 * 4, 2 * 4 * 3, 2 * (4 * 2 + 2)]
    assert all(0 < usage.cpu_s < 5 for usage in used)


def test_an_empty_stream_is_whole(run: Run) -> None:
    nothing = {"stream": 0, "rows": 0, "bytes": 0}
    report = run(source_guest(whole_stream(), moved(0)), destination_guest(nothing, moved(0)))
    assert (report.rows_read, report.rows_written, report.streams[0].batches) == (0, 0, 0)


@pytest.mark.parametrize("lanes", [1, 3, 7])
def test_lanes_share_the_streams_and_each_is_moved_once(document: MakeDocument, state_path: Path, lanes: int) -> None:
    events: list[rapidbyte.Event] = []
    values = with_streams(document(_source_of(7), GOOD_DESTINATION), 7, lanes)
    report = rapidbyte.run_pipeline(values, state_path=state_path, on_event=events.append)
    assert [(stream.name, stream.rows_written) for stream in report.streams] == [(f"t{i}", 5) for i in range(7)]
    started = [event.stream for event in events if isinstance(event, rapidbyte.StreamStarted)]
    finished = [event.report.name for event in events if isinstance(event, rapidbyte.StreamFinished)]
    assert started == [f"t{index}" for index in range(7)]
    assert sorted(finished) == started


def test_a_failure_in_one_lane_ends_the_others_and_no_further_stream_begins(
    document: MakeDocument, state_path: Path
) -> None:
    started: list[str] = []
    second_crashes = f"""
        (if (i32.eq (i32.load8_u offset=13 (local.get $pointer)) (i32.const 49)) (then (unreachable)))
        (if (i32.eq (i32.load8_u offset=13 (local.get $pointer)) (i32.const 50)) (then {ENDLESS}))"""
    source = _source_of(6, before_answer=second_crashes)
    with pytest.raises(ConnectorCrashError) as caught:
        rapidbyte.run_pipeline(
            with_streams(document(source, GOOD_DESTINATION), 6, 2),
            state_path=state_path,
            on_event=lambda event: started.append(event.stream) if isinstance(event, rapidbyte.StreamStarted) else None,
        )
    assert caught.value.code == "unreachable"
    assert set(started) <= {"t0", "t1", "t2"}
    assert recorded(state_path) == (RunStatus.FAILED, "unreachable")


def test_events_tell_the_run_from_start_to_end_on_the_callers_thread(run: Run) -> None:
    events: list[rapidbyte.Event] = []
    threads: set[int] = set()

    def listen(event: rapidbyte.Event) -> None:
        events.append(event)
        threads.add(threading.get_ident())

    report = run(GOOD_SOURCE, GOOD_DESTINATION, on_event=listen)
    # How often there is progress is the clock's affair, and what has to be compiled the cache's.
    at_will = (rapidbyte.ConnectorCompiling, rapidbyte.StreamProgress)
    kinds = [type(event) for event in events if not isinstance(event, at_will)]
    assert kinds == [
        rapidbyte.RunStarted,
        rapidbyte.StreamStarted,
        rapidbyte.StreamFinished,
        rapidbyte.RunFinished,
    ]
    assert events[-1] == rapidbyte.RunFinished(report)
    assert [event for event in events if isinstance(event, rapidbyte.StreamProgress)][-1] == (
        rapidbyte.StreamProgress("t", 5, 5, 40)
    )
    assert threads == {threading.get_ident()}


def test_log_lines_arrive_with_their_connector_and_a_flood_of_them_is_cut(run: Run) -> None:
    lines: list[rapidbyte.LogLine] = []
    flood = """
        (loop $more
          (drop (call $log (i32.const 2) (i32.const 1024) (i32.const 9)))
          (local.set $i (i64.add (local.get $i) (i64.const 1)))
          (br_if $more (i64.lt_u (local.get $i) (i64.const 20000))))"""
    run(
        source_guest(whole_stream(2, 3), moved(5), before_answer=flood),
        GOOD_DESTINATION,
        on_event=lambda event: lines.append(event) if isinstance(event, rapidbyte.LogLine) else None,
    )
    assert set(lines) == {rapidbyte.LogLine("source test", Level.WARN, '{"ok":{}}')}
    assert 1 <= len(lines) <= 19_999
