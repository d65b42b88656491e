"""How many examples each property is tried with: the profile says it."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("nightly", max_examples=2_000, deadline=None)
if os.environ.get("RAPIDBYTE_TEST_PROFILE") == "nightly":
    settings.load_profile("nightly")
