"""Hunts for flakes and leaks in the checkout around it: `./pants run tests/flake_hunt/main.py -- --rounds=50`."""

from __future__ import annotations

import signal
import sys

from flake_hunt.hunt import hunt

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):  # also where a shell that put it into the background ignores one
        signal.signal(number, signal.default_int_handler)
    sys.exit(hunt())
