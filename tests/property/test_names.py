"""Names of a test's schemas: whatever its own name, they fit Postgres, are no other test's, and are known again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.names import MAX_NAME_BYTES, database_name, owner_of, schema_pair

_tests = st.text(max_size=100) | st.text("ab[_ é", min_size=30, max_size=200)
_owners = st.integers(0, 2**32 - 1)
_counts = st.integers(0, 2**16 - 1)


@given(test=_tests, owner=_owners, count=_counts)
def test_names_fit_and_tell_their_owner(test: str, owner: int, count: int) -> None:
    pair = schema_pair(test, owner, count)
    for name in (pair.source, pair.destination, database_name(pair)):
        assert len(name.encode()) <= MAX_NAME_BYTES
        assert owner_of(name) == owner


@given(tests=st.tuples(_tests, _tests), owners=st.tuples(_owners, _owners), counts=st.tuples(_counts, _counts))
def test_names_of_two_tests_differ(tests: tuple[str, str], owners: tuple[int, int], counts: tuple[int, int]) -> None:
    left, right = (schema_pair(tests[at], owners[at], counts[at]) for at in (0, 1))
    is_same = (owners[0], counts[0]) == (owners[1], counts[1])
    assert is_same or not {left.source, left.destination} & {right.source, right.destination}
    assert left.source != left.destination
