"""Engines of wasmtime, and the lock under which its objects are made and closed.

The bindings are not safe for threads: whoever makes or closes an engine, linker, store or function holds RUNTIME_LOCK,
and closes explicitly, so that nothing is left to the garbage collector. Each instance has an engine of its own: raising
an engine's epoch then interrupts exactly one guest, and no thread has to tick.
"""

from __future__ import annotations

import threading

from wasmtime import Config, Engine

RUNTIME_LOCK = threading.Lock()


def new_engine() -> Engine:
    """Make an engine whose guests can be interrupted; the caller holds RUNTIME_LOCK and closes it."""
    config = Config()
    config.epoch_interruption = True
    config.wasm_threads = False
    return Engine(config)
