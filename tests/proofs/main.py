"""Runs the proofs on the checkout around the current folder: `./pants run tests/proofs/main.py -- -k affected`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

_REPORT = "dist/proofs/proofs.xml"


def main() -> int:
    """Run pytest with the arguments of the command line, and return its exit code."""
    folder = Path(__file__).resolve().parent
    options = ["-p", "no:cacheprovider", "--rootdir", str(folder), "--junit-xml", _REPORT, "-ra", "-v", "--durations=0"]
    return pytest.main([*options, *sys.argv[1:], str(folder)])


if __name__ == "__main__":
    sys.exit(main())
