"""What connectors keep from one run to the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.state_contract.samples import END, START
from rapidbyte.errors import StateError
from rapidbyte.model import StateSpec
from rapidbyte.state import StateKey, StateScope, open_state

KEY = StateKey("nightly", StateScope.STREAM, "users", "slot")


class KeptValuesContract:
    """The tests of kept values; a fixture `spec` names a state that does not exist yet."""

    def test_value_of_a_connector_is_kept_until_it_is_reset(self, spec: StateSpec) -> None:
        others = (
            replace(KEY, owner="orders"),
            StateKey("nightly", StateScope.PIPELINE, "", "slot"),
            StateKey("nightly", StateScope.CONNECTOR, "source postgres", "slot"),
            replace(KEY, pipeline="hourly"),
        )
        with open_state(spec) as state:
            for key in (KEY, *others):
                assert state.connectors.get(key) is None
                state.connectors.put(key, b"\0\xff" + key.owner.encode(), START)
            state.connectors.put(KEY, b"", END)
        with open_state(spec) as state:
            kept = state.connectors
            assert [(value.key, value.value, value.updated_at) for value in kept.list("nightly")] == [
                (others[2], b"\0\xffsource postgres", START),
                (others[1], b"\0\xff", START),
                (others[0], b"\0\xfforders", START),
                (KEY, b"", END),
            ]
            assert kept.reset("nightly", "users") == 1
            assert kept.get(KEY) is None
            assert kept.reset("nightly") == 3
            assert [value.key for value in kept.list()] == [others[3]]

    def test_value_is_swapped_only_for_the_one_that_is_expected(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            kept = state.connectors
            assert not kept.compare_and_swap(KEY, b"0", b"1", START)
            assert kept.compare_and_swap(KEY, None, b"1", START)
            assert not kept.compare_and_swap(KEY, None, b"2", START)
            assert not kept.compare_and_swap(KEY, b"0", b"2", START)
            assert kept.compare_and_swap(KEY, b"1", b"2", START)
            assert kept.get(KEY) == b"2"
            assert kept.compare_and_swap(KEY, b"2", None, START)
            assert kept.get(KEY) is None

    def test_value_over_the_limit_is_refused(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.connectors.put(KEY, bytes(1024 * 1024), START)
            for write in (
                lambda value: state.connectors.put(KEY, value, START),
                lambda value: state.connectors.compare_and_swap(KEY, None, value, START),
            ):
                with pytest.raises(StateError, match="at most 1048576") as caught:
                    write(bytes(1024 * 1024 + 1))
                assert caught.value.code == "too_large"
