"""Scripted sources and destinations of a stream that several lanes move, or copy before they move its changes."""

from __future__ import annotations

from collections.abc import Mapping

from boundary.relay_guests import STREAM, Script, failure, frame, moved, whole_stream
from boundary.wat_guests import build, manifest_of

EXTENT = 1000
TAKE = "(call $next_range (i32.const 0) (i32.const 0))"
COPIED_AT = {"lsn": "0/1"}
_FRAMES_OF_FIRST = whole_stream(2, 3)
_READ_TO = {"lsn": "0/2"}
_CHANGES = (frame("schema"), frame("batch", 1), frame("end", 1, position=_READ_TO))
_HAS_RUN = "(i32.const 32)"  # where a source notes that it has

_PREPARED = {"ok": {"streams": [{**STREAM, "extent": EXTENT}], "snapshot": {"id": "1"}}}


def source_of_ranges(take: str = TAKE) -> bytes:
    """Return a source that takes ranges until there are none; the lane with the first one sends five rows, others none.

    `take` is called for each range, and gives what `next_range` does.
    """
    script = Script()
    bodies = {"rb_prepare": script.answer(_PREPARED), "rb_run": _read_ranges(script, take)}
    return build(bodies, fields="\n".join(script.fields), manifest=manifest_of(abi="1.2"))


def source_of_changes(snapshotted: Mapping[str, object] | None) -> bytes:
    """Return a source that is as the one of ranges when it first runs, and then sends one change.

    It answers `snapshotted` where it is asked for the snapshot.
    """
    script = Script()
    changes = "".join(script.send(metadata) for metadata in _CHANGES)
    body = f"""
        (if (i32.load8_u {_HAS_RUN}) (then {changes} (return {script.answer(moved(1))})))
        (i32.store8 {_HAS_RUN} (i32.const 1))
        {_read_ranges(script, TAKE)}"""
    bodies = {
        "rb_prepare": script.answer(_PREPARED),
        "rb_snapshot": "(call $ok)" if snapshotted is None else script.answer(snapshotted),
        "rb_run": body,
    }
    manifest = manifest_of(abi="1.2", capabilities={"sync_modes": ["cdc"]})
    return build(bodies, fields="\n".join(script.fields), manifest=manifest)


def _read_ranges(script: Script, take: str) -> str:
    first = "".join(script.send(metadata) for metadata in _FRAMES_OF_FIRST)
    others = "".join(script.send(metadata) for metadata in whole_stream())
    return f"""
        (if (i32.eqz {take})
          (then
            (local.set $i (i64.extend_i32_u (i64.eqz (i64.load (i32.const 0)))))
            (loop $more (br_if $more (i32.eqz {take})))))
        (if (i64.eq (local.get $i) (i64.const 1)) (then {first} (return {script.answer(moved(5))})))
        {others} {script.answer(moved(0))}"""


def sharing_destination(
    published: Mapping[str, object] | None = None, *, checkpoint: Mapping[str, object] | None = None
) -> bytes:
    """Return a destination that several lanes may write with, and that answers `published` to the end of it all.

    It makes `checkpoint` where a part has rows, and answers with the code `refused` when it is. It makes the change
    durable that a source of changes sends.
    """
    script = Script()
    durable = {"stream": 0, "rows": 1, "bytes": 8, "position": _READ_TO}
    change = script.check(f"(call $checkpoint {script.place(durable)})")
    commit = "" if checkpoint is None else script.check(f"(call $checkpoint {script.place(checkpoint)})")
    body = f"""
        (loop $more
          (local.set $f (call $next))
          (if (i64.ge_s (local.get $f) (i64.const 0))
            (then
              (local.set $i (i64.add (local.get $i) (i64.const 1)))
              (drop (call $frame_drop (local.get $f)))
              (br $more))))
        (if (i64.ne (local.get $f) (i64.const -2)) (then (return {script.answer(failure("aborted", "internal"))})))
        (if (i64.eq (local.get $i) (i64.const {len(_FRAMES_OF_FIRST)}))
          (then {commit} (return {script.answer(moved(5))})))
        (if (i64.eq (local.get $i) (i64.const {len(_CHANGES)})) (then {change} (return {script.answer(moved(1))})))
        {script.answer(moved(0))}"""
    bodies = {
        "rb_resume": script.answer({"ok": {"receipt": None, "share": {"table": "on its way"}}}),
        "rb_run": body,
        "rb_publish": "(call $ok)" if published is None else script.answer(published),
    }
    return build(bodies, fields="\n".join(script.fields), manifest=manifest_of("destination", abi="1.2"))
