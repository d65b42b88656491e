"""A matrix: what is refused, and the few cases that have every pair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.matrix import Case, Matrix, Refusal, case_id, pairs_of, pairwise

_DIMENSIONS = {"sync": ("full", "new", "changes"), "write": ("add", "replace"), "lanes": ("1", "2")}
_NO_REPLACE = Refusal({"sync": "changes", "write": "replace"}, "sync", "changes cannot replace")
_ONE_LANE = Refusal({"sync": "changes", "lanes": "2"}, "lanes", "changes have one lane")
_MATRIX = Matrix(_DIMENSIONS, (_NO_REPLACE, _ONE_LANE))

_NAMES = st.sampled_from("abcde")


@st.composite
def _matrices(draw: st.DrawFn) -> Matrix:
    """Any small matrix, with any refusals."""
    sizes = draw(st.dictionaries(_NAMES, st.integers(1, 4), min_size=1, max_size=5))
    dimensions = {name: [f"{name}{number}" for number in range(size)] for name, size in sizes.items()}
    refusals = draw(st.lists(_refusals(dimensions), max_size=4))
    return Matrix(dimensions, refusals)


def _refusals(dimensions: Mapping[str, Sequence[str]]) -> st.SearchStrategy[Refusal]:
    choices = {name: st.sampled_from(values) for name, values in dimensions.items()}
    when = st.fixed_dictionaries({}, optional=choices).filter(bool)
    return when.map(lambda chosen: Refusal(chosen, "", ""))


def test_case_has_a_value_of_each_dimension_and_is_named_by_them() -> None:
    cases = Matrix({"sync": ("full", "new"), "lanes": ("1", "2")}).cases()
    assert [case_id(case) for case in cases] == ["full-1", "full-2", "new-1", "new-2"]
    assert cases[1] == {"sync": "full", "lanes": "2"}


def test_refused_cases_are_told_apart_by_the_first_reason() -> None:
    assert [case_id(case) for case in _MATRIX.cases(_NO_REPLACE)] == ["changes-replace-1", "changes-replace-2"]
    assert [case_id(case) for case in _MATRIX.cases(_ONE_LANE)] == ["changes-add-2"]
    assert len(_MATRIX.cases()) == 9


@settings(deadline=None)
@given(_matrices())
def test_every_case_is_done_or_refused_for_one_reason(matrix: Matrix) -> None:
    total = 1
    for values in matrix.dimensions.values():
        total *= len(values)
    reasons = [None, *matrix.refusals]
    assert sum(len(matrix.cases(reason)) for reason in {id(reason): reason for reason in reasons}.values()) == total


@settings(deadline=None)
@given(_matrices())
def test_few_cases_have_every_pair_that_any_case_has(matrix: Matrix) -> None:
    cases = matrix.cases()
    chosen = pairwise(cases)
    assert _pairs(chosen) == _pairs(cases)
    assert all(case in cases for case in chosen)
    assert len({case_id(case) for case in chosen}) == len(chosen)
    assert pairwise(cases) == chosen
    for case in chosen:  # none of them is for nothing, at the moment that it is chosen
        assert set(pairs_of(case)) - _pairs(chosen[: chosen.index(case)])


def _pairs(cases: Sequence[Case]) -> set[tuple[tuple[str, str], ...]]:
    return {pair for case in cases for pair in pairs_of(case)}
