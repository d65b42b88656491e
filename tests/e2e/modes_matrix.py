"""The dimensions of a pipeline and what cannot be joined, as data: tests/e2e/fix_matrix.py moves tables through it.

A dimension is named after its key in the document. The fast profile has every pair of values in some case, the nightly
one has every case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.matrix import Case, Matrix, Refusal, case_id, pairwise
from harness.profiles import is_nightly
from rapidbyte.model import SyncMode

PIPELINE = Path("fixtures/pipelines/matrix.yaml")
NO_TRANSFORM = "unchanged"
_RULE = "[{use: validate, config: {rules: [{assert_range: {field: amount, min: 0}, streams: [first]}]}}]"

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


def moving(mode: SyncMode) -> Callable[..., pytest.MarkDecorator]:
    """Run a test with each case of a mode that can be done, named by its values: each mode has a file of its own."""
    cases = [case for case in every(MATRIX.cases()) if case["sync_mode"] == mode.value]
    return pytest.mark.parametrize("case", [pytest.param(case, id=case_id(case)) for case in cases])


def variables_of(case: Case) -> Mapping[str, str]:
    """What a case says of the pipeline."""
    return {
        **{name.upper(): value for name, value in case.items()},
        "CURSOR": "at" if case["sync_mode"] == SyncMode.INCREMENTAL.value else "",
        "TRANSFORMS": "" if case["transforms"] == NO_TRANSFORM else _RULE,
    }
