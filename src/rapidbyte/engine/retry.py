"""Whether a stream that failed is tried again, and after how long. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rapidbyte.errors import Category, RapidbyteError

_FIRST_WAIT_S: Mapping[Category, float] = {
    Category.TRANSIENT_NETWORK: 0.5,
    Category.TRANSIENT_DB: 0.5,
    Category.RATE_LIMIT: 5.0,
}
_OTHER_FIRST_WAIT_S = 1.0
_MOST_WAIT_S = 60.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """A stream is tried once, and `max_retries` times more."""

    max_retries: int

    @property
    def attempts(self) -> int:
        """How often a stream is tried at most."""
        return self.max_retries + 1

    def wait_s(self, error: BaseException, attempt: int, *, has_receipts: bool) -> float | None:
        """Return the seconds to wait after attempt number `attempt`, from 1 on; None when `error` is final.

        Waits double from attempt to attempt, by category, unless the other side names one. Without receipts, only an
        attempt that made nothing durable can be repeated.
        """
        if not isinstance(error, RapidbyteError) or not error.retryable or attempt > self.max_retries:
            return None
        if not (has_receipts or error.info.safe_to_retry):
            return None
        if error.info.retry_after_ms is not None:
            return error.info.retry_after_ms / 1000
        first = _FIRST_WAIT_S.get(error.category, _OTHER_FIRST_WAIT_S)
        doubled: float = first * 2 ** min(attempt - 1, 16)
        return min(doubled, _MOST_WAIT_S)
