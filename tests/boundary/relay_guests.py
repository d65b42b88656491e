"""Sources, transforms and destinations in WAT that follow a script: what to send and claim, where to go wrong."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from boundary.wat_guests import build, manifest_of

_SCRIPT_START = 65536  # above what requests need
_PAGE_BYTES = 65536
_LONG_START = 2 * _PAGE_BYTES  # what has room only where the memory has grown
_ROW_END = '"}}'
_PAYLOAD_BYTES = 8
_RUN_REQUEST = '{"streams": ['
STREAM = {"name": "public.t", "columns": [{"name": "id", "type": "bigint", "nullable": False}], "primary_key": []}


def frame(kind: str, rows: int = 0, *, stream: int = 0, **changes: object) -> Mapping[str, object]:
    """Return the metadata of a frame whose payload is 8 bytes a row."""
    return {"stream": stream, "kind": kind, "rows": rows, "bytes": 8 * rows, **changes}


def whole_stream(*batches: int, stream: int = 0) -> list[Mapping[str, object]]:
    """Return the frames of a stream with these numbers of rows in its batches."""
    middle = [frame("batch", rows, stream=stream) for rows in batches]
    return [frame("schema", stream=stream), *middle, frame("end", sum(batches), stream=stream)]


def moved(rows: int, *, stream: int = 0) -> Mapping[str, object]:
    """Return what `rb_run` answers."""
    return {"ok": {"streams": [{"index": stream, "rows": rows, "bytes": 8 * rows}]}}


def failure(code: str, category: str = "data", **more: object) -> Mapping[str, object]:
    """Return an error as a guest answers it."""
    return {"error": {"category": category, "code": code, "message": f"The test says {code}.", **more}}


@dataclass
class Script:
    """Texts placed in guest memory, and the code that uses them."""

    fields: list[str] = field(default_factory=list)
    at: int = _SCRIPT_START
    stream_digits: list[int] = field(default_factory=list)  # where documents name stream 0

    def place(self, document: Mapping[str, object]) -> str:
        """Return the operands for the place of a document."""
        text = json.dumps(document)
        start = self.at
        self.at += len(text)
        self.stream_digits += [start + match.end() - 1 for match in re.finditer('"(stream|index)": 0', text)]
        escaped = text.replace('"', '\\"')
        self.fields.append(f'(data (i32.const {start}) "{escaped}")')
        return f"(i32.const {start}) (i32.const {len(text)})"

    def answer(self, document: Mapping[str, object]) -> str:
        """Return an expression that gives a document as the result."""
        return f"(call $result {self.place(document)})"

    def rename_stream(self) -> str:
        """Return code that puts the stream an `rb_run` asks for, 0 to 9, into the documents placed so far."""
        digit = f"(i32.load8_u offset={len(_RUN_REQUEST)} (local.get $pointer))"
        return "".join(f"(i32.store8 (i32.const {place}) {digit})" for place in self.stream_digits)

    def send(self, metadata: Mapping[str, object]) -> str:
        """Return code that emits a frame, and ends the run with the code `refused` when it is not taken."""
        return f"""
            (local.set $f (call $frame_new (i64.const {_PAYLOAD_BYTES})))
            (drop (call $frame_write (local.get $f) (i32.const 0) (i32.const {_PAYLOAD_BYTES})))
            (drop (call $frame_seal (local.get $f)))
            (if (i32.ne (call $emit (local.get $f) {self.place(metadata)}) (i32.const 0))
              (then (return {self.answer(failure("refused", "internal"))})))"""

    def check(self, call: str) -> str:
        """Return code that ends the run with the code `refused` when a call does not give 0."""
        refused = self.answer(failure("refused", "internal"))
        return f"(if (i32.ne {call} (i32.const 0)) (then (return {refused})))"

    def take(self) -> str:
        """Return code that takes a frame, and ends the run with the code `aborted` or `status` when none comes."""
        return f"""
            (local.set $f (call $next))
            (if (i64.eq (local.get $f) (i64.const -3)) (then (return {self.answer(failure("aborted", "internal"))})))
            (if (i64.lt_s (local.get $f) (i64.const 0)) (then (return {self.answer(failure("status", "internal"))})))"""

    def give(self) -> str:
        """Return code that emits the frame that was taken, as it came."""
        return f"""
            (local.set $i (i64.extend_i32_s (call $frame_meta (local.get $f) (i32.const 0) (i32.const 1024))))
            (if (i32.ne (call $emit (local.get $f) (i32.const 0) (i32.wrap_i64 (local.get $i))) (i32.const 0))
              (then (return {self.answer(failure("refused", "internal"))})))"""

    def give_as(self, metadata: Mapping[str, object]) -> str:
        """Return code that emits the frame that was taken under other metadata."""
        return f"""
            (if (i32.ne (call $emit (local.get $f) {self.place(metadata)}) (i32.const 0))
              (then (return {self.answer(failure("refused", "internal"))})))"""

    def reject(self, document: Mapping[str, object]) -> str:
        """Return code that rejects a row, and ends the run with the code `refused` when it is not taken."""
        return f"""
            (if (i32.ne (call $reject {self.place(document)}) (i32.const 0))
              (then (return {self.answer(failure("refused", "internal"))})))"""

    def reject_stretched(self, document: Mapping[str, object], size_bytes: int) -> str:
        """Return code that rejects a row whose last text, empty in `document`, gives it so many bytes as JSON."""
        start, length = self.at, len(json.dumps(document))
        self.place(document)
        head = length - len(_ROW_END)
        fill = size_bytes - length
        return f"""
            (drop (memory.grow (i32.const {size_bytes // _PAGE_BYTES + 1})))
            (memory.copy (i32.const {_LONG_START}) (i32.const {start}) (i32.const {head}))
            (memory.fill (i32.const {_LONG_START + head}) (i32.const {ord("x")}) (i32.const {fill}))
            (memory.copy (i32.const {_LONG_START + head + fill}) (i32.const {start + head}) (i32.const {len(_ROW_END)}))
            {self.check(f"(call $reject (i32.const {_LONG_START}) (i32.const {size_bytes}))")}"""


def source_guest(
    frames: Sequence[Mapping[str, object]],
    answer: Mapping[str, object],
    *,
    prepared: Mapping[str, object] | None = None,
    before_answer: str = "",
    open_body: str = "(call $ok)",
    fields: str = "",
) -> bytes:
    """Return a source that emits `frames` as those of the stream it is asked for, does `before_answer` and answers."""
    script = Script()
    sends = "".join(script.send(metadata) for metadata in frames)
    answers = script.answer(answer)
    bodies = {
        "rb_open": open_body,
        "rb_prepare": script.answer({"ok": {"streams": [STREAM]}} if prepared is None else prepared),
        "rb_discover": script.answer({"ok": {"streams": [STREAM]}}),
        "rb_check": script.answer({"ok": {"checks": [{"name": "taste", "status": "warn", "message": "Bitter."}]}}),
        "rb_run": f"{script.rename_stream()} {sends} {before_answer} {answers}",
    }
    return build(bodies, fields="\n".join([*script.fields, fields]))


def endless_source_guest() -> bytes:
    """Return a source that emits batches of 60,000 bytes until it is stopped."""
    script = Script()
    body = f"""
        {script.send(frame("schema"))}
        (loop $more
          (local.set $f (call $frame_new (i64.const 60000)))
          (drop (call $frame_write (local.get $f) (i32.const 0) (i32.const 60000)))
          (drop (call $frame_seal (local.get $f)))
          (br_if $more (i32.eqz (call $emit (local.get $f) {script.place(frame("batch", 1))}))))
        {script.answer(failure("refused", "internal"))}"""
    bodies = {"rb_prepare": script.answer({"ok": {"streams": [STREAM]}}), "rb_run": body}
    return build(bodies, fields="\n".join(script.fields))


TAKE = "take"
GIVE = "give"


def relabelled(metadata: Mapping[str, object]) -> Mapping[str, object]:
    """Return the step that emits the frame that was taken under other metadata."""
    return {"relabelled": metadata}


def rejection(reasons: Sequence[str], **row: str | None) -> Mapping[str, object]:
    """Return a rejected row."""
    return {"stream": 0, "category": "data", "code": "bad_row", "reasons": reasons, "row": row}


def stretched(row: Mapping[str, object], size_bytes: int) -> Mapping[str, object]:
    """Return a rejected row, the last text of which is not empty but gives it so many bytes as JSON."""
    return {"stretched": row, "size_bytes": size_bytes}


def transform_guest(
    steps: Sequence[str | Mapping[str, object]],
    answer: Mapping[str, object],
    *,
    prepared: Mapping[str, object] | None = None,
    before_answer: str = "",
    failed: Mapping[str, object] | None = None,
    abi: str = "1.2",
) -> bytes:
    """Return a transform that takes its steps, does `before_answer` and answers.

    A step is TAKE, which drops what it took unless GIVE or what `relabelled` gives follows; a frame to emit; or a row
    to reject. `before_answer` may call `$deeper`, which never returns, and `$failed`, which gives the answer `failed`.
    """
    script = Script()

    def code(step: str | Mapping[str, object] | None, after: str | Mapping[str, object] | None) -> str:
        assert step is not None
        if step == TAKE:
            is_given = after == GIVE or (isinstance(after, Mapping) and "relabelled" in after)
            return script.take() + ("" if is_given else "(drop (call $frame_drop (local.get $f)))")
        if isinstance(step, str):
            return script.give()
        if "relabelled" in step:
            return script.give_as(step["relabelled"])  # type: ignore[arg-type]  # it is what `relabelled` was given
        if "stretched" in step:
            return script.reject_stretched(step["stretched"], step["size_bytes"])  # type: ignore[arg-type]  # as above
        return script.send(step) if "kind" in step else script.reject(step)

    taken = "".join(code(step, after) for step, after in itertools.pairwise([*steps, None]))
    answers = script.answer(answer)
    bodies = {
        "rb_check": script.answer({"ok": {"checks": []}}),
        "rb_prepare": script.answer({"ok": {"streams": [STREAM]}} if prepared is None else prepared),
        "rb_run": f"{script.rename_stream()} {taken} {before_answer} {answers}",
    }
    functions = (
        "(func $deeper (call $deeper))",
        f"(func $failed (result i64) {script.answer(failure('failed') if failed is None else failed)})",
    )
    return build(bodies, fields="\n".join([*script.fields, *functions]), manifest=manifest_of("transform", abi=abi))


def identity_guest(frames: int, rows: int, *, streams: Sequence[Mapping[str, object]] = (STREAM,)) -> bytes:
    """Return a transform that gives so many frames of a stream on as they come, which have so many rows together."""
    return transform_guest([TAKE, GIVE] * frames, moved(rows), prepared={"ok": {"streams": streams}})


def destination_guest(
    checkpoint: Mapping[str, object] | None,
    answer: Mapping[str, object],
    *,
    before_receiving: str = "",
    prepare_body: str = "(call $ok)",
    resumed: Mapping[str, object] | None = None,
    fields: str = "",
) -> bytes:
    """Return a destination that takes frames to their end, makes a checkpoint and answers.

    It answers with the code `aborted` after ABORTED, `refused` when its checkpoint is, and `status` otherwise.
    """
    script = Script()
    commit = (
        ""
        if checkpoint is None
        else f"""(if (i32.ne (call $checkpoint {script.place(checkpoint)}) (i32.const 0))
                   (then (return {script.answer(failure("refused", "internal"))})))"""
    )
    answers = script.answer(answer)
    body = f"""
        {script.rename_stream()}
        {before_receiving}
        (loop $more
          (local.set $f (call $next))
          (if (i64.ge_s (local.get $f) (i64.const 0))
            (then (drop (call $frame_drop (local.get $f))) (br $more))))
        (if (i64.eq (local.get $f) (i64.const -3)) (then (return {script.answer(failure("aborted", "internal"))})))
        (if (i64.ne (local.get $f) (i64.const -2)) (then (return {script.answer(failure("status", "internal"))})))
        {commit}
        {answers}"""
    return build(
        {
            "rb_check": script.answer({"ok": {"checks": []}}),
            "rb_prepare": prepare_body,
            "rb_resume": "(call $ok)" if resumed is None else script.answer(resumed),
            "rb_run": body,
        },
        fields="\n".join([*script.fields, fields]),
        manifest=manifest_of("destination"),
    )
