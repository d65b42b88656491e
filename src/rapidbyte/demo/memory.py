"""The greatest amount of memory that this process has held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

_KIB = 1024


def peak_memory_bytes() -> int:
    """Read the peak resident size of this process.

    Linux hands a parent's ru_maxrss down through exec, so there the kernel's mark of this very program is read.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * _KIB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * _KIB
