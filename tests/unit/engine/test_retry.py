"""Which failures are tried again, how often, and after how long."""

from __future__ import annotations

import pytest

from rapidbyte.engine.retry import RetryPolicy
from rapidbyte.errors import (
    DataError,
    ErrorInfo,
    InternalError,
    NetworkError,
    RapidbyteError,
    RateLimitError,
    TransientDatabaseError,
)

_RETRYABLE = ErrorInfo("x", retryable=True)
_SAFE = ErrorInfo("x", retryable=True, safe_to_retry=True)


def _waits(error: BaseException, *, retries: int = 3, has_receipts: bool = True) -> list[float | None]:
    policy = RetryPolicy(retries)
    return [policy.wait_s(error, attempt, has_receipts=has_receipts) for attempt in range(1, retries + 2)]


@pytest.mark.parametrize(
    ("error", "waits"),
    [
        (NetworkError("x", _RETRYABLE), [0.5, 1.0, 2.0, None]),
        (TransientDatabaseError("x", _RETRYABLE), [0.5, 1.0, 2.0, None]),
        (RateLimitError("x", _RETRYABLE), [5.0, 10.0, 20.0, None]),
        (InternalError("x", _RETRYABLE), [1.0, 2.0, 4.0, None]),
        (RateLimitError("x", ErrorInfo("x", retryable=True, retry_after_ms=1500)), [1.5, 1.5, 1.5, None]),
    ],
)
def test_waits_double_by_category_unless_the_other_side_names_one(
    error: RapidbyteError, waits: list[float | None]
) -> None:
    assert _waits(error) == waits


@pytest.mark.parametrize("error", [NetworkError("x"), DataError("x"), ValueError("x"), KeyboardInterrupt()])
def test_failure_that_no_attempt_mends_is_final(error: BaseException) -> None:
    assert _waits(error) == [None] * 4


def test_without_receipts_only_an_attempt_that_made_nothing_durable_is_repeated() -> None:
    assert _waits(NetworkError("x", _RETRYABLE), has_receipts=False) == [None] * 4
    assert _waits(NetworkError("x", _SAFE), has_receipts=False) == [0.5, 1.0, 2.0, None]


def test_no_retries_means_one_attempt() -> None:
    assert _waits(NetworkError("x", _SAFE), retries=0) == [None]
    assert RetryPolicy(0).attempts == 1


def test_no_wait_is_longer_than_a_minute() -> None:
    assert RetryPolicy(10_000).wait_s(NetworkError("x", _SAFE), 9_999, has_receipts=True) == 60.0
