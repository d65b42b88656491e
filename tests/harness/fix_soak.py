"""How long a soak takes, and the seed of what it does: chosen by the profile, or by whoever looks for something."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

import pytest

from harness.profiles import is_nightly

_SECONDS = "--soak-seconds"
_SEED = "--soak-seed"
_FAST_S = 10.0
_NIGHTLY_S = 600.0


@dataclass(frozen=True, slots=True)
class Soak:
    """A soak; what is random in it follows from its seed."""

    seconds: float
    seed: str

    def __str__(self) -> str:
        return f"{_SECONDS}={self.seconds:g} {_SEED}={self.seed}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    parser.addoption(_SECONDS, type=float, help="how long a soak disturbs a run, rather than as the profile has it")
    parser.addoption(_SEED, help="what a soak that failed has printed")


@pytest.fixture
def soak(pytestconfig: pytest.Config) -> Soak:
    """What the soak is to do; printed, so that a failure has it."""
    seconds = pytestconfig.getoption(_SECONDS)
    chosen = Soak(
        (_NIGHTLY_S if is_nightly() else _FAST_S) if seconds is None else seconds,
        pytestconfig.getoption(_SEED) or secrets.token_hex(4),
    )
    print(chosen)
    return chosen
