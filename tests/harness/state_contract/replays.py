"""Dead letters that are replayed: they wait until a replay with them is committed, and as before where none is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.state_contract.samples import END, LETTER, START, replay
from rapidbyte.errors import Category
from rapidbyte.model import StateSpec
from rapidbyte.state import RejectedAt, Selection, open_state


class ReplaysContract:
    """The tests of replays; a fixture `spec` names a state that does not exist yet."""

    def test_letters_of_a_replay_wait_no_longer_once_it_is_committed(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            queue, replays = state.dead_letters, state.replays
            queue.put([replace(LETTER, code=str(n)) for n in range(3)], START)
            queue.put([replace(LETTER, stream="orders"), replace(LETTER, pipeline="hourly", stream="more")], START)
            first, second, third, other, _ = (stored.letter_id for stored in queue.list())
            assert replays.streams("nightly") == ("orders", "users")
            assert replays.claim([first, third, third + 99], "p1") == {first, third}
            assert replays.claim([other], "p1") == {other}
            claimed = [stored.replay_id for stored in queue.list(Selection("nightly", is_waiting=True))]
            assert claimed == ["p1", None, "p1", "p1"]
            assert replays.settle("nightly", "users", "p1", END) == 2
            assert replays.settle("nightly", "users", "p1", END) == 0
            assert replays.claim([first, second], "p2") == {second}
            assert [stored.letter_id for stored in queue.list(Selection("nightly", "users", None, True))] == [second]
            replayed = queue.list(Selection(is_waiting=False))
            assert [(stored.replayed_at, stored.replay_id) for stored in replayed] == [(END, None)] * 2
            assert replays.settle("nightly", "orders", "p1", END) == 1
            assert replays.streams("nightly") == ("users",)

    @pytest.mark.parametrize("committed", [None, "p0"])
    def test_letters_of_a_replay_without_its_commit_wait_as_before(
        self, spec: StateSpec, committed: str | None
    ) -> None:
        with open_state(spec) as state:
            state.dead_letters.put([LETTER], START)
            before = state.dead_letters.list()
            state.replays.claim([before[0].letter_id], "p1")
            assert state.replays.settle("nightly", "users", committed, END) == 0
            assert state.dead_letters.list() == before

    def test_row_that_is_refused_again_waits_with_its_new_reason(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.dead_letters.put([replace(LETTER, rejected_at=RejectedAt.SOURCE)], START)
            (before,) = state.dead_letters.list()
            state.replays.claim([before.letter_id], "p1")
            state.replays.reject(before.letter_id, Category.SCHEMA, "42703", ("No such column.",))
            assert state.replays.settle("nightly", "users", "p1", END) == 0
            letter = replace(LETTER, category=Category.SCHEMA, code="42703", reasons=("No such column.",))
            assert state.dead_letters.list() == (replace(before, letter=letter),)

    def test_replayed_letters_give_way_to_new_ones(self, spec: StateSpec) -> None:
        letters = [replace(LETTER, code=str(n)) for n in range(4)]
        with open_state(replace(spec, max_dead_letters=3)) as state:
            queue = state.dead_letters
            queue.put(letters[:3], START)
            replay(state, queue.list()[0].letter_id)
            queue.put(letters[3:], END)
            assert [stored.letter.code for stored in queue.list()] == ["1", "2", "3"]
