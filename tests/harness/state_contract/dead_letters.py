"""The dead-letter queue: what is put into it, what stays there, and what goes with the run that was not committed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from harness.state_contract.samples import LETTER, START, replay
from rapidbyte.errors import Category, DeadLettersFullError
from rapidbyte.model import StateSpec
from rapidbyte.state import LastCommit, Selection, StoredLetter, Uncommitted, open_state


class DeadLettersContract:
    """The tests of dead letters; a fixture `spec` names a state that does not exist yet."""

    def test_dead_letter_is_kept_as_it_was_put(self, spec: StateSpec) -> None:
        plain = replace(LETTER, raw=None, row={}, unreadable=(), uncommitted=None)
        with open_state(spec) as state:
            state.dead_letters.put([LETTER, plain], START)
        with open_state(spec) as state:
            first, second = state.dead_letters.list()
            assert first == StoredLetter(first.letter_id, LETTER, START)
            assert second == StoredLetter(second.letter_id, plain, START)
            assert state.dead_letters.get(first.letter_id) == first
            assert state.dead_letters.get(second.letter_id + 1) is None

    def test_letters_are_selected_and_paged(self, spec: StateSpec) -> None:
        letters = [replace(LETTER, stream=stream, code=str(n)) for n in range(3) for stream in ("users", "orders")]
        with open_state(spec) as state:
            queue = state.dead_letters
            queue.put(letters, START)
            queue.put([replace(LETTER, pipeline="hourly", run_id="r2")], START)
            users = queue.list(Selection("nightly", "users"))
            assert [stored.letter.code for stored in users] == ["0", "1", "2"]
            assert queue.list(Selection("nightly", "users"), limit=2) == users[:2]
            assert queue.list(Selection("nightly", "users"), after=users[1].letter_id) == users[2:]
            ids = tuple(stored.letter_id for stored in users)
            assert queue.ids(Selection("nightly", "users")) == ids
            assert queue.ids(Selection("nightly", "users"), 1, ids[0]) == ids[1:2]
            assert [stored.letter.pipeline for stored in queue.list(Selection(run_id="r2"))] == ["hourly"]
            counts = [queue.count(wanted) for wanted in (Selection(), Selection("nightly"), Selection(stream="none"))]
            assert counts == [7, 6, 0]

    @pytest.mark.parametrize(
        ("last", "kept"),
        [
            pytest.param(None, ["covered", "twice", "twice", "after", "other run"], id="the table was dropped"),
            pytest.param(LastCommit("r0", 900, True), ["other run"], id="the run committed nothing"),
            pytest.param(LastCommit("r1", 200, False), ["covered", "other run"], id="a commit after the first of them"),
            pytest.param(
                LastCommit("r1", 200, True), ["covered", "twice", "twice", "after", "other run"], id="the end of it"
            ),
            pytest.param(LastCommit("r9", 1, True), ["covered", "twice", "twice", "after", "other run"], id="another"),
        ],
    )
    def test_letters_without_their_commit_go_and_the_others_stay(
        self, spec: StateSpec, last: LastCommit | None, kept: list[str]
    ) -> None:
        places = {"covered": 199, "twice": 200, "after": 201}
        letters = [
            replace(LETTER, code=code, uncommitted=Uncommitted(places[code], "r0"))
            for code in ("covered", "twice", "twice", "after")
        ]
        others = [replace(LETTER, stream="orders"), replace(LETTER, pipeline="hourly")]
        committed = replace(LETTER, code="other run", run_id="r0", uncommitted=None)
        with open_state(spec) as state:
            state.dead_letters.put([*letters, *others, committed], START)
            state.dead_letters.settle("nightly", "users", last)
            left = [stored.letter for stored in state.dead_letters.list(Selection("nightly", "users"))]
            assert state.dead_letters.count() == len(left) + len(others)
        assert [letter.code for letter in left] == kept
        assert {letter.uncommitted for letter in left} == {None}

    def test_letters_of_a_stream_without_any_receipt_go_when_it_has_none(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            state.dead_letters.put([replace(LETTER, uncommitted=Uncommitted(0)), LETTER], START)
            state.dead_letters.settle("nightly", "users", None)
            assert [stored.letter for stored in state.dead_letters.list()] == [replace(LETTER, uncommitted=None)]

    def test_a_run_confirms_its_letters_and_those_of_the_run_it_repeats_go(self, spec: StateSpec) -> None:
        of_runs = [replace(LETTER, run_id=run_id, uncommitted=None) for run_id in ("r0", "r1", "r1")]
        with open_state(spec) as state:
            queue = state.dead_letters
            queue.put([*of_runs, replace(LETTER, run_id="r2"), replace(LETTER, run_id="r2", stream="orders")], START)
            replay(state, queue.list()[1].letter_id)
            queue.confirm("nightly", "users", "r2", "r1")
            kept = [(stored.letter.run_id, stored.letter.uncommitted is None) for stored in queue.list()]
        assert kept == [("r0", True), ("r1", True), ("r2", True), ("r2", False)]

    def test_an_attempt_takes_back_what_its_run_has_not_committed(self, spec: StateSpec) -> None:
        others = [replace(LETTER, run_id="r2"), replace(LETTER, stream="orders"), replace(LETTER, uncommitted=None)]
        with open_state(spec) as state:
            state.dead_letters.put([LETTER, *others], START)
            state.dead_letters.withdraw("nightly", "users", "r1")
            assert [stored.letter for stored in state.dead_letters.list()] == others

    def test_deleted_letters_are_gone(self, spec: StateSpec) -> None:
        with open_state(spec) as state:
            queue = state.dead_letters
            queue.put([replace(LETTER, code=str(n)) for n in range(4)], START)
            queue.put([replace(LETTER, pipeline="hourly")], START)
            first, *rest = (stored.letter_id for stored in queue.list(Selection("nightly")))
            assert queue.delete([first, first]) == 1
            assert [stored.letter_id for stored in queue.list(Selection("nightly"))] == rest
            assert queue.delete_all(Selection("nightly")) == 3
            assert [stored.letter.pipeline for stored in queue.list()] == ["hourly"]

    def test_full_queue_refuses_all_of_a_put_and_says_so(self, spec: StateSpec) -> None:
        letters = [replace(LETTER, code=str(n)) for n in range(4)]
        with open_state(replace(spec, max_dead_letters=3)) as state:
            queue = state.dead_letters
            queue.put(letters[:2], START)
            with pytest.raises(
                DeadLettersFullError, match=r"3 rows may wait in .*, and 1 more were rejected"
            ) as caught:
                queue.put(letters[2:], START)
            assert (caught.value.code, caught.value.category) == ("dlq_full", Category.DATA)
            assert [stored.letter.code for stored in queue.list()] == ["0", "1"]
            queue.put(letters[2:3], START)
            queue.put([replace(LETTER, pipeline="hourly")], START)
            assert queue.count() == 4

    def test_letters_come_from_several_threads(self, spec: StateSpec) -> None:
        with open_state(spec) as state, ThreadPoolExecutor(4) as pool:
            for number in range(20):
                pool.submit(state.dead_letters.put, [replace(LETTER, code=str(number))], START)
            pool.shutdown()
            positions = {stored.letter.code for stored in state.dead_letters.list()}
        assert positions == {str(number) for number in range(20)}
