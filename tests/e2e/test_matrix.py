"""The matrix of modes and policies: what of it is refused, and that it has every value there is.

What can be done is done by the files of the modes: test_matrix_full_refresh.py, test_matrix_incremental.py and
test_matrix_cdc.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest

import rapidbyte
from e2e.modes_matrix import MATRIX, PIPELINE, every, variables_of
from harness.matrix import Case, Refusal, case_id
from rapidbyte.errors import DocumentError
from rapidbyte.model import Compression, DataErrorPolicy, NewColumn, StateBackend, SyncMode, WriteMode

REFUSED = [
    pytest.param(refusal, case, id=case_id(case))
    for refusal in MATRIX.refusals
    for case in every(MATRIX.cases(refusal))
]


@pytest.mark.parametrize(("refusal", "case"), REFUSED)
def test_what_cannot_be_joined_is_refused_before_anything_is_made(
    variables: Mapping[str, str], state_path: Path, session: psycopg.Connection, refusal: Refusal, case: Case
) -> None:
    env = {**variables, **variables_of(case), "STATE": str(state_path)}
    with pytest.raises(DocumentError) as caught:
        rapidbyte.run_pipeline(PIPELINE, env=env)
    first, second = caught.value.problems
    assert (first.path, first.message) == (refusal.path, refusal.message)
    assert (second.path, second.message) == (refusal.path.replace("[0]", "[1]"), refusal.message)
    assert session.execute("SELECT to_regnamespace(%s)", (variables["DESTINATION_SCHEMA"],)).fetchone() == (None,)
    assert not state_path.exists()


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        ("sync_mode", SyncMode),
        ("write_mode", WriteMode),
        ("compression", Compression),
        ("backend", StateBackend),
        ("on_data_error", DataErrorPolicy),
        ("new_column", NewColumn),
    ],
)
def test_every_value_of_a_key_is_in_the_matrix(dimension: str, values: Any) -> None:
    assert list(MATRIX.dimensions[dimension]) == [value.value for value in values]
