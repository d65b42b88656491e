"""Named points of a run, at which a test of crashes can end the process; inert unless the environment names one.

`RAPIDBYTE_KILL_AT` is a point's name, with `:n` for its n-th time. The points of connectors come through their log.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

VARIABLE = "RAPIDBYTE_KILL_AT"

_name, _, _count = os.environ.get(VARIABLE, "").partition(":")
_wanted = int(_count) if _count.isdecimal() else 1
_reached: Counter[str] = Counter()
_lock = threading.Lock()


def reach(point: str) -> None:
    """Pass a point, or die at it as if by `kill -9`."""
    if point != _name:
        return
    with _lock:
        _reached[point] += 1
        if _reached[point] == _wanted:
            os.kill(os.getpid(), signal.SIGKILL)
