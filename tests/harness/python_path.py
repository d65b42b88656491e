"""Where a child process finds what this one imports."""

from __future__ import annotations

import os
import sys

# Read when the process starts: entries may be relative, and a test may change the directory later.
PYTHON_PATH = os.pathsep.join(os.path.abspath(entry) for entry in sys.path if entry)
