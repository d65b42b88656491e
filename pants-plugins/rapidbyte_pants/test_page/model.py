"""The tests of a run as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """How a test ended; an error lies outside of the test itself, as in a fixture."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"

    @property
    def is_bad(self) -> bool:
        return self in (Outcome.FAILED, Outcome.ERROR)


class Origin(Enum):
    """Where the result of a file came from."""

    RAN = "ran"
    LOCAL_CACHE = "from the local cache"
    REMOTE_CACHE = "from the remote cache"
    UNCHANGED = "unchanged since the last run"


@dataclass(frozen=True)
class Case:
    """One test. `function` is its name without parameters; `message` is why it did not pass, and is empty if it did."""

    name: str
    function: str
    outcome: Outcome
    duration_s: float
    message: str = ""


@dataclass(frozen=True)
class Suite:
    """The tests of one target, which ran as one process. `duration_s` is that process's, or what the tests took."""

    address: str
    cases: tuple[Case, ...]
    origin: Origin
    duration_s: float

    @property
    def bad(self) -> tuple[Case, ...]:
        return tuple(case for case in self.cases if case.outcome.is_bad)

    @property
    def group(self) -> str:
        """The first two folders of the address, as in `tests/unit`."""
        return "/".join(self.address.partition(":")[0].split("/")[:-1][:2]) or "/"
