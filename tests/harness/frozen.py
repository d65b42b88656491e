"""Takes what is loaded before the first test from the garbage collector: modules stay to the end of the process.

Pytest has the collector look at all objects several times when it ends, for what a test has left; it takes a tenth of a
second each time to find that the modules are still there.
"""

from __future__ import annotations

import gc

import pytest


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Leave to the collector what is made from now on."""
    gc.freeze()
