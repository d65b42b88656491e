"""Many instances over many threads, with traps, interrupts and the garbage collector: no fault, and flat memory."""

from __future__ import annotations

import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from boundary.wat_guests import Host, build
from rapidbyte.errors import CancelledRunError, ConnectorCrashError
from rapidbyte.wasm import Call

_THREADS = 8
_INSTANCES_PER_THREAD = 25
_GROWTH_LIMIT_BYTES = 48 * 1024 * 1024

_WORK = """
    (local.set $f (call $frame_new (i64.const 4096)))
    (drop (call $frame_write (local.get $f) (i32.const 0) (i32.const 4096)))
    (drop (call $frame_seal (local.get $f)))
    (drop (call $frame_read (local.get $f) (i64.const 0) (i32.const 8192) (i32.const 4096)))
    (drop (call $log (i32.const 9) (i32.const 0) (i32.const 0)))
    (call $reply (call $frame_len (local.get $f)))"""
_WASM = build(
    {
        "rb_check": _WORK,
        "rb_discover": "(unreachable)",
        "rb_prepare": "(call $reply (i64.extend_i32_s (call $sock_wait (i32.const 0) (i32.const 0) (i32.const -1))))",
    }
)


def _live(host: Host, seed: int) -> int:
    """Start and end instances, each in one of the ways there are; return how many did what they should."""
    choose = random.Random(seed)
    right = 0
    for _ in range(_INSTANCES_PER_THREAD):
        with host.start(_WASM) as instance:
            assert instance.call(Call.CHECK, {}) == 4096
            way = choose.choice(["close", "trap", "interrupt", "collect"])
            if way == "trap":
                try:
                    instance.call(Call.DISCOVER, {})
                except ConnectorCrashError as error:
                    right += error.code == "unreachable"
            elif way == "interrupt":
                timer = threading.Timer(0.001, instance.interrupt)
                timer.start()
                try:
                    right += instance.call(Call.PREPARE, {}) == -4
                except CancelledRunError:
                    right += 1
                timer.join()
            else:
                if way == "collect":
                    gc.collect()
                right += instance.call(Call.CHECK, {}) == 4096
    return right


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def test_instances_come_and_go_on_many_threads_without_fault_or_growth(host: Host) -> None:
    assert _live(host, seed=0) == _INSTANCES_PER_THREAD
    before = _resident_bytes()
    with ThreadPoolExecutor(_THREADS) as threads:
        results = list(threads.map(lambda seed: _live(host, seed), range(1, _THREADS + 1)))
    assert results == [_INSTANCES_PER_THREAD] * _THREADS
    assert _resident_bytes() - before < _GROWTH_LIMIT_BYTES
