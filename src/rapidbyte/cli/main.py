"""Where the process begins: with as little as possible, so that Ctrl-C is answered quietly from the start."""

from __future__ import annotations

import importlib
import signal
import sys


def main() -> None:
    """Run the command of `sys.argv` and end the process with its exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command can stop in order, just end
    sys.exit(importlib.import_module("rapidbyte.cli.process").run(sys.argv[1:]))
