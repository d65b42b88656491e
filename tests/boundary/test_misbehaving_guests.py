"""Guests that do wrong: each ends as a typed error of its own instance, and a neighbour goes on unharmed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from wasmtime import wat2wasm

from boundary.wat_guests import Host, answering, build, manifest_of, manifest_section
from rapidbyte.errors import (
    CancelledRunError,
    CommitState,
    ConnectorCrashError,
    ConnectorInvalidError,
    ErrorInfo,
    InternalError,
    NetworkError,
    RapidbyteError,
    Scope,
    TransientDatabaseError,
)
from rapidbyte.model import MIB
from rapidbyte.wasm import Call, Level
from rapidbyte.wasm.abi import Status, WasiErrno

_ENDLESS = "(loop $for_ever (br $for_ever)) (unreachable)"
_WAIT = "(call $reply (i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1))))"


@pytest.fixture(autouse=True)
def neighbour(host: Host) -> Iterator[None]:
    """A well-behaved instance that lives through each test and still answers after it."""
    with host.start(build({"rb_check": "(call $reply (i64.const 7))"})) as instance:
        yield
        assert instance.call(Call.CHECK, {}) == 7


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("(unreachable)", "unreachable"),
        ("(call $reply (i64.div_s (i64.const 1) (i64.load (i32.const 512))))", "integer_division_by_zero"),
        ("(call $reply (i64.load (i32.const -8)))", "memory_out_of_bounds"),
        ("(call $deeper)", "stack_overflow"),
        ("(call $proc_exit (i32.const 3)) (call $ok)", "exit"),
    ],
)
def test_a_trap_is_a_crash_that_names_it_and_ends_the_instance(host: Host, body: str, code: str) -> None:
    wasm = build({"rb_check": body}, fields="(func $deeper (result i64) (call $deeper))")
    with host.start(wasm) as instance:
        with pytest.raises(ConnectorCrashError) as caught:
            instance.call(Call.CHECK, {})
        assert caught.value.code == code
        assert "source test" in caught.value.message
        with pytest.raises(InternalError) as after:
            instance.call(Call.CHECK, {})
        assert after.value.code == "closed"


def test_a_crash_tells_the_last_words_of_standard_error(host: Host) -> None:
    fields = '(data (i32.const 0) "\\10\\00\\00\\00\\04\\00\\00\\00") (data (i32.const 16) "dead")'
    body = "(drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 64))) (unreachable)"
    with pytest.raises(ConnectorCrashError, match=r"Its last words: dead\."):
        host.check(body, fields=fields)


def test_endless_code_is_ended_after_its_time_and_a_grace(host: Host) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectorCrashError) as caught:
        host.check(_ENDLESS, timeout_s=0.1)
    assert caught.value.code == "timeout"
    assert "limits.timeout_seconds" in caught.value.message
    assert 1.1 <= time.monotonic() - started < 10


def test_endless_initialisation_is_ended_too(host: Host) -> None:
    wasm = build(fields='(func (export "_initialize") (loop $l (br $l)))')
    with pytest.raises(ConnectorCrashError) as caught:
        host.start(wasm, timeout_s=0.1)
    assert caught.value.code == "timeout"


def test_a_wait_in_the_host_ends_with_the_time(host: Host) -> None:
    assert host.check(_WAIT, timeout_s=0.1) == Status.TIMED_OUT


def test_an_error_after_the_time_is_the_timeout(host: Host) -> None:
    answer, fields = answering('{"error":{"category":"internal"}}')
    with pytest.raises(NetworkError) as caught:
        host.check(f"(drop {_WAIT}) {answer}", fields=fields, timeout_s=0.1)
    assert caught.value.code == "timeout"


def test_an_interrupt_cancels_endless_code(host: Host) -> None:
    with host.start(build({"rb_check": _ENDLESS})) as instance:
        threading.Timer(0.05, instance.interrupt).start()
        with pytest.raises(CancelledRunError):
            instance.call(Call.CHECK, {})


def test_an_interrupt_ends_a_wait_in_the_host(host: Host) -> None:
    with host.start(build({"rb_check": _WAIT})) as instance:
        threading.Timer(0.05, instance.interrupt).start()
        assert instance.call(Call.CHECK, {}) == Status.CANCELLED


def test_a_cancelled_guest_may_use_its_imports_to_say_goodbye(host: Host) -> None:
    farewell = "(drop (call $log (i32.const 3) (i32.const 0) (i32.const 3))) (call $ok)"
    look = "(call $reply (i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const 0) (i32.const 0))))"
    wasm = build({"rb_check": look, "rb_close": farewell}, fields='(data (i32.const 0) "bye")')
    with host.start(wasm) as instance:
        instance.call(Call.OPEN, {})
        instance.interrupt()
        assert instance.call(Call.CHECK, {}) == Status.CANCELLED
    assert host.lines == [(Level.INFO, "bye")]


def test_a_guest_that_does_not_close_is_ended_and_reported(host: Host) -> None:
    with host.start(build({"rb_close": _ENDLESS})) as instance:
        instance.call(Call.OPEN, {})
        started = time.monotonic()
    assert 2.9 <= time.monotonic() - started < 10
    assert [level for level, _ in host.lines] == [Level.WARN]
    assert "did not close cleanly" in host.lines[0][1]


def test_growth_past_the_limit_is_the_memory_limit(host: Host) -> None:
    body = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (unreachable)"
    with pytest.raises(ConnectorCrashError) as caught:
        host.check(body, max_memory_bytes=4 * MIB)
    assert caught.value.code == "memory_limit"
    assert "limits.max_memory" in caught.value.message


def test_a_failed_allocation_of_rust_is_the_memory_limit(host: Host) -> None:
    words = "memory allocation of 999 bytes failed"
    fields = f'(data (i32.const 0) "\\10\\00\\00\\00\\{len(words):02x}\\00\\00\\00") (data (i32.const 16) "{words}")'
    body = "(drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 64))) (unreachable)"
    with pytest.raises(ConnectorCrashError) as caught:
        host.check(body, fields=fields, max_memory_bytes=4 * MIB)
    assert caught.value.code == "memory_limit"


def test_a_module_greater_than_the_limit_does_not_start(host: Host) -> None:
    with pytest.raises(ConnectorCrashError) as caught:
        host.start(build(), max_memory_bytes=65536)
    assert caught.value.code == "memory_limit"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("(i64.const -1)", "more than 16777216"),
        ("(call $result (i32.const 131000) (i32.const 100))", "outside its memory"),
    ],
)
def test_a_result_outside_its_bounds_ends_the_instance(host: Host, body: str, why: str) -> None:
    with host.start(build({"rb_check": body})) as instance:
        with pytest.raises(InternalError, match=why):
            instance.call(Call.CHECK, {})
        with pytest.raises(InternalError) as after:
            instance.call(Call.CHECK, {})
        assert after.value.code == "closed"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("oops", "not JSON"),
        ("[]", "neither ok nor error"),
        ('{"ok":1,"error":{}}', "neither ok nor error"),
        ('{"error":"x"}', "neither ok nor error"),
        ('{"error":{"category":"x"}}', "'x' is not a category"),
        ('{"error":{"category":"data","scope":"x"}}', "'x' is not a scope"),
        ('{"error":{"category":"data","details":[1]}}', "wrong type"),
    ],
)
def test_a_result_that_breaks_the_abi_is_an_internal_error(host: Host, document: str, why: str) -> None:
    body, fields = answering(document)
    with pytest.raises(InternalError, match=why) as caught:
        host.check(body, fields=fields)
    assert caught.value.code == "bad_result"


def test_an_error_of_the_guest_arrives_whole_with_its_name(host: Host) -> None:
    body, fields = answering(
        '{"error":{"category":"transient_db","scope":"batch","code":"40P01","message":"Deadlock.","retryable":true,'
        '"retry_after_ms":50,"safe_to_retry":true,"commit_state":"before_commit","details":{"stream":"t"}}}'
    )
    with pytest.raises(TransientDatabaseError) as caught:
        host.check(body, fields=fields)
    assert caught.value.message == "Deadlock."
    assert caught.value.info == ErrorInfo(
        "40P01", Scope.BATCH, True, 50, True, CommitState.BEFORE_COMMIT, (("stream", "t"), ("connector", "source test"))
    )


def test_a_request_that_finds_no_room_is_an_internal_error(host: Host) -> None:
    wasm = build()
    with host.start(wasm) as instance, pytest.raises(InternalError) as caught:
        instance.call(Call.OPEN, {"config": {"text": "x" * 200_000}})
    assert caught.value.code == "bad_pointer"


def test_sleeping_in_wasi_is_refused_and_randomness_is_not(host: Host) -> None:
    sleep = "(call $poll_oneoff (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))"
    assert host.check(f"(call $reply (i64.extend_i32_s {sleep}))") == WasiErrno.NOTSUP
    random = "(call $random_get (i32.const 0) (i32.const 8))"
    assert host.check(f"(call $reply (i64.extend_i32_s {random}))") == 0


def test_a_file_descriptor_is_unknown(host: Host) -> None:
    write = "(call $fd_write (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 64))"
    assert host.check(f"(call $reply (i64.extend_i32_s {write}))") == WasiErrno.BADF


@pytest.mark.parametrize(
    ("wasm", "code"),
    [
        (build(manifest=manifest_of(abi="2.0")), "abi_version"),
        (build(manifest=manifest_of(abi="1.3")), "abi_version"),
        (build(manifest=manifest_of(abi="one")), "connector_invalid"),
        (build(manifest=manifest_of(kind="teapot")), "connector_invalid"),
        (build(manifest=manifest_of(config_schema={"$ref": "#/x"})), "connector_invalid"),
        (build(fields="(func $begin) (start $begin)"), "connector_invalid"),
        (b"", "connector_invalid"),
        (b"\0asm\x01\0\0\0", "connector_invalid"),
        (build()[:-200], "connector_invalid"),
        (b"\0asm\x01\0\0\0\0\xff\xff\xff\xff\xff\xff", "connector_invalid"),
    ],
)
def test_what_is_no_connector_of_this_abi_is_refused(host: Host, wasm: bytes, code: str) -> None:
    with pytest.raises(ConnectorInvalidError) as caught:
        host.start(wasm)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("imported", "code"),
    [
        ('"rapidbyte_v2" "log" (func (param i32 i32 i32) (result i32))', "abi_version"),
        ('"rapidbyte_v1" "format_disk" (func)', "unknown_import"),
        ('"env" "system" (func (param i32) (result i32))', "unknown_import"),
        ('"rapidbyte_v1" "log" (func)', "connector_invalid"),
        ('"wasi_snapshot_preview1" "no_such" (func)', "connector_invalid"),
    ],
)
def test_an_import_that_the_host_does_not_have_is_refused(host: Host, imported: str, code: str) -> None:
    section = manifest_section()
    calls = ("spec", "open", "check", "discover", "prepare", "run", "close")
    exports = "".join(f'(func (export "rb_{call}") (param i32 i32) (result i64) (i64.const 0))' for call in calls)
    alloc = '(func (export "rb_alloc") (param i32) (result i32) (i32.const 0))'
    wasm = bytes(wat2wasm(f'(module (import {imported}) (memory (export "memory") 1) {alloc} {exports} {section})'))
    with pytest.raises(ConnectorInvalidError) as caught:
        host.start(wasm)
    assert caught.value.code == code


def test_a_module_without_the_lifecycle_is_refused(host: Host) -> None:
    with pytest.raises(ConnectorInvalidError) as caught:
        host.start(bytes(wat2wasm(f"(module {manifest_section()})")))
    assert caught.value.code == "missing_export"
    assert "memory, rb_alloc, rb_check" in caught.value.message


def test_a_failure_of_the_host_is_kept_on_the_instance_that_met_it(host: Host) -> None:
    def broken(_level: Level, _message: str) -> None:
        raise ZeroDivisionError("of the host")

    host.on_log = broken
    answer, fields = answering('{"error":{"category":"data"}}')
    with pytest.raises(InternalError) as caught:
        host.check(f"(drop (call $log (i32.const 1) (i32.const 0) (i32.const 3))) {answer}", fields=fields)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_closing_twice_and_after_a_crash_is_fine(host: Host) -> None:
    instance = host.start(build({"rb_check": "(unreachable)"}))
    with pytest.raises(ConnectorCrashError):
        instance.call(Call.CHECK, {})
    instance.close()
    instance.close()
    with pytest.raises(RapidbyteError):
        instance.call(Call.CHECK, {})
