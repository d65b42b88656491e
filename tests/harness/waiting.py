"""Waiting for what another process does, for as long as it takes and no longer."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_S = 120.0


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Return as soon as the condition holds; fail when it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < deadline, f"gave up waiting: {what}"
        time.sleep(0.02)
