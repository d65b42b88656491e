"""Frames through the real runtime: each transition of docs/ABI.md §5 as a guest sees it."""

from __future__ import annotations

import pytest

from boundary.wat_guests import Host, build
from rapidbyte.wasm import Call
from rapidbyte.wasm.abi import Status

_NEW = "(local.set $f (call $frame_new (i64.const 16)))"
_FILL = "(drop (call $frame_write (local.get $f) (i32.const 0) (i32.const 5)))"
_SEAL = "(drop (call $frame_seal (local.get $f)))"
_HELLO = '(data (i32.const 0) "hello")'


def _i64(expression: str) -> str:
    return f"(call $reply {expression})"


def _i32(expression: str) -> str:
    return f"(call $reply (i64.extend_i32_s {expression}))"


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (_NEW + _i64("(call $frame_write (local.get $f) (i32.const 0) (i32.const 5))"), 5),
        (_NEW + _FILL + _i64("(call $frame_write (local.get $f) (i32.const 0) (i32.const 5))"), 10),
        (_NEW + _FILL + _i64("(call $frame_seal (local.get $f))"), 5),
        (_NEW + _FILL + _SEAL + _i64("(call $frame_len (local.get $f))"), 5),
        (_NEW + _i64("(call $frame_write (local.get $f) (i32.const 0) (i32.const 17))"), Status.TOO_LARGE),
        (_NEW + _SEAL + _i64("(call $frame_write (local.get $f) (i32.const 0) (i32.const 1))"), Status.BAD_STATE),
        (_NEW + _SEAL + _i64("(call $frame_seal (local.get $f))"), Status.BAD_STATE),
        (_NEW + _i64("(call $frame_len (local.get $f))"), Status.BAD_STATE),
        (
            _NEW + _i32("(call $frame_read (local.get $f) (i64.const 0) (i32.const 64) (i32.const 0))"),
            Status.BAD_STATE,
        ),
        (
            _NEW + _FILL + _SEAL + _i32("(call $frame_read (local.get $f) (i64.const 1) (i32.const 64) (i32.const 5))"),
            Status.OUT_OF_BOUNDS,
        ),
        (
            _NEW
            + _FILL
            + _SEAL
            + _i32("(call $frame_read (local.get $f) (i64.const -1) (i32.const 64) (i32.const 1))"),
            Status.OUT_OF_BOUNDS,
        ),
        (_NEW + "(drop (call $frame_drop (local.get $f)))" + _i32("(call $frame_drop (local.get $f))"), Status.OK),
        (
            _NEW + "(drop (call $frame_drop (local.get $f)))" + _i64("(call $frame_len (local.get $f))"),
            Status.BAD_HANDLE,
        ),
        (_i32("(call $frame_drop (i64.const 77))"), Status.OK),
        (_i64("(call $frame_seal (i64.const 77))"), Status.BAD_HANDLE),
        (_i64("(call $frame_seal (i64.const -1))"), Status.BAD_HANDLE),
        (_i64("(call $frame_new (i64.const 65537))"), Status.TOO_LARGE),
        (_i64("(call $frame_new (i64.const -1))"), Status.INVALID_ARGUMENT),
        (_NEW + _i64("(call $frame_write (local.get $f) (i32.const 131072) (i32.const 1))"), Status.BAD_POINTER),
        (_NEW + _i64("(call $frame_write (local.get $f) (i32.const -1) (i32.const -1))"), Status.BAD_POINTER),
        (_NEW + _SEAL + _i32("(call $emit (local.get $f) (i32.const 0) (i32.const 5))"), Status.INVALID_ARGUMENT),
        (_NEW + _i32("(call $emit (local.get $f) (i32.const 0) (i32.const 5))"), Status.BAD_STATE),
        (_i64("(call $next)"), Status.BAD_STATE),
        (_NEW + _SEAL + _i32("(call $frame_meta (local.get $f) (i32.const 64) (i32.const 99))"), Status.BAD_STATE),
    ],
)
def test_a_guest_gets(host: Host, body: str, answer: int) -> None:
    assert host.check(body, fields=_HELLO) == answer


def test_what_was_written_is_read_at_any_offset(host: Host) -> None:
    body = (
        _NEW
        + _FILL
        + _SEAL
        + "(drop (call $frame_read (local.get $f) (i64.const 1) (i32.const 64) (i32.const 4)))"
        + "(call $reply (i64.load (i32.const 64)))"
    )
    assert host.check(body, fields=_HELLO) == int.from_bytes(b"ello", "little")


def test_the_number_of_frames_is_limited(host: Host) -> None:
    four = "(drop (call $frame_new (i64.const 1)))" * 4
    assert host.check(four + "(call $reply (call $frame_new (i64.const 1)))") == Status.LIMIT


def test_the_capacity_of_all_frames_together_is_limited(host: Host) -> None:
    two = "(drop (call $frame_new (i64.const 65536)))" * 2
    assert host.check(two + "(call $reply (call $frame_new (i64.const 1)))") == Status.LIMIT


def test_a_handle_of_another_instance_is_unknown(host: Host) -> None:
    wasm = build({"rb_check": _NEW + "(call $reply (local.get $f))"})
    with host.start(wasm) as other:
        handle = other.call(Call.CHECK, {})
        assert host.check(f"(call $reply (call $frame_seal (i64.const {handle})))") == Status.BAD_HANDLE


def test_frames_survive_from_one_call_to_the_next(host: Host) -> None:
    wasm = build(
        {
            "rb_check": _NEW + _FILL + "(global.set $a (local.get $f)) (call $ok)",
            "rb_discover": "(call $reply (call $frame_seal (global.get $a)))",
        },
        fields=_HELLO,
    )
    with host.start(wasm) as instance:
        instance.call(Call.CHECK, {})
        assert instance.call(Call.DISCOVER, {}) == 5


def test_the_last_refusal_is_told_in_words(host: Host) -> None:
    body = (
        "(drop (call $frame_seal (i64.const 77)))"
        "(i32.store8 (i32.const 64) (i32.const 0))"
        "(call $reply (i64.extend_i32_s (call $last_error (i32.const 64) (i32.const 8))))"
    )
    message = "There is no such frame: it is unknown, consumed or dropped."
    assert host.check(body) == len(message)
