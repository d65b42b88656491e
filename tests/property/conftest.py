"""How many examples each property is tried with: the profile says it. How fast a machine is decides nothing."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

from harness.profiles import is_nightly

settings.register_profile("fast", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("nightly", settings.get_profile("fast"), max_examples=2_000)
settings.load_profile("nightly" if is_nightly() else "fast")
