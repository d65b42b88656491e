"""The dimensions of a pipeline and what cannot be joined, as data: tests/e2e/test_matrix.py moves tables through it.

A dimension is named after its key in the document. The fast profile has every pair of values in some case, the nightly
one has every case.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.matrix import Case, Matrix, Refusal, case_id, pairwise
from harness.profiles import is_nightly

NO_TRANSFORM = "unchanged"

_SYNC_MODE = "source.streams[0].sync_mode"

MATRIX = Matrix(
    {
        "sync_mode": ("full_refresh", "incremental", "cdc"),
        "write_mode": ("append", "replace", "upsert"),
        "load_method": ("copy", "insert"),
        "compression": ("none", "lz4", "zstd"),
        "parallelism": ("1", "2"),
        "transforms": (NO_TRANSFORM, "validate"),
        "backend": ("sqlite", "postgres"),
        "on_data_error": ("fail", "skip", "dlq"),
        "new_column": ("add", "ignore", "fail"),
    },
    (
        Refusal(
            {"sync_mode": "incremental", "write_mode": "replace"},
            _SYNC_MODE,
            "incremental with write_mode replace would leave only the rows that are new since the last run; use append "
            "or upsert, or sync_mode full_refresh",
        ),
        Refusal(
            {"sync_mode": "cdc", "write_mode": "replace"},
            _SYNC_MODE,
            "cdc with write_mode replace would leave only the changes since the last run; use append or upsert, or "
            "sync_mode full_refresh",
        ),
        Refusal(
            {"sync_mode": "cdc", "transforms": "validate"},
            _SYNC_MODE,
            "cdc with transforms is not available in this version; remove them",
        ),
    ),
)


def every(cases: tuple[Case, ...]) -> tuple[Case, ...]:
    """All cases of the nightly profile; the fast one has few, with every pair."""
    return cases if is_nightly() else pairwise(cases)


def parametrized(cases: tuple[Case, ...]) -> Callable[..., pytest.MarkDecorator]:
    """Run a test with each of the cases, named by its values."""
    return pytest.mark.parametrize("case", [pytest.param(case, id=case_id(case)) for case in cases])
