"""Streams of changes move together: through one channel, with one position, and each is accounted for by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import rapidbyte
from boundary.fix_runs import MakeDocument
from boundary.relay_guests import STREAM, Script, frame
from boundary.wat_guests import build, manifest_of
from rapidbyte.errors import RapidbyteError

_END = {"lsn": "0/2"}
_INTERLEAVED = [
    frame("schema"),
    frame("schema", stream=1),
    frame("batch", 2),
    frame("batch", 3, stream=1),
    frame("batch", 1, position={"lsn": "0/1"}),
    frame("end", 3, position=_END),
    frame("end", 3, stream=1, position=_END),
]


def _moved(*rows: int) -> Mapping[str, object]:
    return {"ok": {"streams": [{"index": at, "rows": count, "bytes": 8 * count} for at, count in enumerate(rows)]}}


def _durable(stream: int, rows: int) -> Mapping[str, object]:
    return {"stream": stream, "rows": rows, "bytes": 8 * rows, "position": _END}


def _source(frames: Sequence[Mapping[str, object]], answer: Mapping[str, object]) -> bytes:
    """Return a source that emits frames, waits until the last position of both streams is durable, and answers."""
    script = Script()
    asked = "(call $durable_position (i32.const {}) (i32.const 0) (i32.const 0))"
    wait = "".join(f"(loop $of{at} (br_if $of{at} (i32.eqz {asked.format(at)})))" for at in (0, 1))
    sends = "".join(script.send(metadata) for metadata in frames)
    bodies = {
        "rb_prepare": script.answer({"ok": {"streams": [{**STREAM, "name": "a"}, {**STREAM, "name": "b"}]}}),
        "rb_run": f"{sends} {wait} {script.answer(answer)}",
    }
    manifest = manifest_of("source", capabilities={"sync_modes": ["cdc"]}, abi="1.2")
    return build(bodies, fields="\n".join(script.fields), manifest=manifest)


def _destination(checkpoints: Sequence[Mapping[str, object]], answer: Mapping[str, object]) -> bytes:
    """Return a destination that takes all frames, makes checkpoints and answers."""
    script = Script()
    takes = "".join(f"{script.take()} (drop (call $frame_drop (local.get $f)))" for _ in _INTERLEAVED)
    commits = "".join(script.check(f"(call $checkpoint {script.place(document)})") for document in checkpoints)
    bodies = {"rb_prepare": "(call $ok)", "rb_run": f"{takes} {commits} {script.answer(answer)}"}
    manifest = manifest_of("destination", capabilities={"write_modes": ["append"]}, abi="1.2")
    return build(bodies, fields="\n".join(script.fields), manifest=manifest)


def _together(document: MakeDocument, source: bytes, destination: bytes) -> dict[str, object]:
    values = dict(document(source, destination, max_retries=0))
    streams = [{"name": name, "sync_mode": "cdc"} for name in ("a", "b")]
    return {**values, "source": {**values["source"], "streams": streams}}  # type: ignore[dict-item]  # it is a section


def test_streams_share_a_channel_and_are_counted_apart(document: MakeDocument, state_path: Path) -> None:
    destination = _destination([_durable(0, 3), _durable(1, 3)], _moved(3, 3))
    report = rapidbyte.run_pipeline(
        _together(document, _source(_INTERLEAVED, _moved(3, 3)), destination), state_path=state_path
    )
    assert [(stream.name, stream.rows_read, stream.rows_written, stream.batches) for stream in report.streams] == [
        ("a", 3, 3, 2),
        ("b", 3, 3, 1),
    ]


@pytest.mark.parametrize(
    ("checkpoints", "source_answer", "destination_answer", "code"),
    [
        pytest.param([(0, 3), (1, 2)], (3, 3), (3, 2), "incomplete_stream", id="one of them is not durable"),
        pytest.param([(0, 3), (1, 3)], (3, 2), (3, 3), "bad_result", id="the source counts otherwise"),
        pytest.param([(0, 3), (1, 3)], (3, 3), (3, 2), "bad_result", id="the destination counts otherwise"),
        pytest.param([(0, 3), (1, 3)], (3,), (3, 3), "bad_result", id="the source names one only"),
    ],
)
def test_one_stream_that_does_not_add_up_fails_all(
    document: MakeDocument,
    state_path: Path,
    checkpoints: Sequence[tuple[int, int]],
    source_answer: Sequence[int],
    destination_answer: Sequence[int],
    code: str,
) -> None:
    source = _source(_INTERLEAVED, _moved(*source_answer))
    destination = _destination([_durable(*values) for values in checkpoints], _moved(*destination_answer))
    with pytest.raises(RapidbyteError) as failed:
        rapidbyte.run_pipeline(_together(document, source, destination), state_path=state_path)
    assert failed.value.code == code
