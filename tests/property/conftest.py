"""How many examples each property is tried with: the profile says it."""

from __future__ import annotations

from hypothesis import settings

from harness.profiles import is_nightly

settings.register_profile("nightly", max_examples=2_000, deadline=None)
if is_nightly():
    settings.load_profile("nightly")
