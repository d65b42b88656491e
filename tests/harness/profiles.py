"""Which profile the tests run in: the fast one, or the nightly one with every combination."""

from __future__ import annotations

import os

VARIABLE = "RAPIDBYTE_TEST_PROFILE"
NIGHTLY = "nightly"


def is_nightly() -> bool:
    """Tell whether there is time for every combination."""
    return os.environ.get(VARIABLE) == NIGHTLY
