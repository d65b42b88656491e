"""Rejected rows that are loaded after all: each exactly once, by write mode, and kept where they are refused again."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

import rapidbyte
from harness.cli import Cli
from harness.fix_pipelines import RunPipeline
from harness.fix_tables import Ask
from harness.kill_points import IN_A_REPLAY
from rapidbyte.engine.points import VARIABLE
from rapidbyte.errors import ConfigError
from rapidbyte.model import ReplayReport, StateSpec
from rapidbyte.state import RejectedAt, Selection, StoredLetter, open_state

_MODES = "fixtures/pipelines/modes.yaml"
_DLQ = {"STREAM": "t", "ON_DATA_ERROR": "dlq"}

Letters = Callable[[], list[StoredLetter]]


class Replay(Protocol):
    """Replays a pipeline's letters; keywords fill further variables of the template."""

    def __call__(
        self, /, *, letter_ids: tuple[int, ...] = ..., is_dry: bool = ..., **variables: str
    ) -> ReplayReport: ...


@pytest.fixture
def replay(variables: Mapping[str, str], state_path: Path) -> Replay:
    def call(*, letter_ids: tuple[int, ...] = (), is_dry: bool = False, **more: str) -> ReplayReport:
        env = {**variables, **_DLQ, **more}
        return rapidbyte.replay_dead_letters(
            Path(_MODES), env=env, state_path=state_path, letter_ids=letter_ids, is_dry=is_dry
        )

    return call


@pytest.fixture
def waiting(state_path: Path) -> Letters:
    """The letters that wait."""

    def read() -> list[StoredLetter]:
        with open_state(StateSpec(connection=str(state_path))) as state:
            return list(state.dead_letters.list(Selection(is_waiting=True)))

    return read


@pytest.fixture
def rejected(ask: Ask, run_pipeline: RunPipeline) -> None:
    """Ten rows at the source, of which the destination has refused the last three."""
    ask("CREATE TABLE {s}.t (id int, n int, label text)")
    ask("INSERT INTO {s}.t SELECT i, i * 10, 'row ' || i FROM generate_series(1, 10) AS i")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int, n int, label text, CONSTRAINT small CHECK (n < 75))")
    assert run_pipeline(_MODES, **_DLQ).rows_rejected == 3


def _outcome(report: ReplayReport) -> tuple[int, int]:
    return report.rows_replayed, report.rows_kept


@pytest.mark.usefixtures("rejected")
def test_rows_are_loaded_once_after_the_fix(ask: Ask, replay: Replay, waiting: Letters) -> None:
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    assert _outcome(replay(is_dry=True)) == (3, 0)
    assert len(waiting()) == 3
    assert _outcome(replay()) == (3, 0)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == ask("SELECT * FROM {s}.t ORDER BY id")
    assert waiting() == []
    assert replay().streams == ()
    assert ask("SELECT count(*) FROM {d}.t") == [(10,)]


@pytest.mark.usefixtures("rejected")
def test_rows_that_fail_again_are_kept_with_the_new_reason(ask: Ask, replay: Replay, waiting: Letters) -> None:
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small, ADD UNIQUE (id), ALTER label SET NOT NULL")
    ask("INSERT INTO {d}.t VALUES (9, 1, 'taken')")
    report = replay()
    assert _outcome(report) == (2, 1)
    (stored,) = waiting()
    letter = stored.letter
    assert (letter.row["id"], letter.code, letter.rejected_at) == ("9", "23505", RejectedAt.DESTINATION)
    assert report.streams[0].kept[0].letter_id == stored.letter_id
    assert report.streams[0].kept[0].reason.startswith("refused again: duplicate key value")
    assert ask("SELECT id, n FROM {d}.t WHERE id > 7 ORDER BY id") == [(8, 80), (9, 1), (10, 100)]
    ask("DELETE FROM {d}.t WHERE id = 9")
    assert _outcome(replay()) == (1, 0)
    assert ask("SELECT * FROM {d}.t ORDER BY id") == ask("SELECT * FROM {s}.t ORDER BY id")


@pytest.mark.usefixtures("rejected")
def test_only_the_rows_that_are_named_are_loaded(ask: Ask, replay: Replay, waiting: Letters) -> None:
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    _, second, third = (stored.letter_id for stored in waiting())
    assert _outcome(replay(letter_ids=(second,))) == (1, 0)
    assert ask("SELECT id FROM {d}.t WHERE id > 7") == [(9,)]
    for letter_id in (second, third + 1):
        with pytest.raises(ConfigError) as caught:
            replay(letter_ids=(letter_id,))
        assert caught.value.code == "dlq_not_found"


@pytest.mark.parametrize("point", IN_A_REPLAY)
@pytest.mark.usefixtures("rejected")
def test_replay_that_is_killed_is_carried_on(
    ask: Ask, cli: Cli, replay: Replay, waiting: Letters, state_path: Path, point: str
) -> None:
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small, ADD CHECK (n <> 90)")
    chosen = {**_DLQ, "STATE_PATH": str(state_path)}
    killed = cli.run("dlq", "replay", _MODES, **chosen, **{VARIABLE: point})
    assert killed.code == -signal.SIGKILL, f"{point} was not reached: {killed.stderr}"
    assert sum(_outcome(replay())) in (1, 3)  # what was settled already is not looked at again
    assert ask("SELECT id FROM {d}.t ORDER BY id") == [(i,) for i in (1, 2, 3, 4, 5, 6, 7, 8, 10)]
    assert [stored.letter.row["id"] for stored in waiting()] == ["9"]


def test_values_of_all_kinds_come_as_they_were(
    ask: Ask, run_pipeline: RunPipeline, replay: Replay, waiting: Letters
) -> None:
    ask(
        "CREATE TABLE {s}.t (id int, f float8, r real, d numeric(12,3), w numeric, b bytea, u uuid, j jsonb, day date, "
        "at timestamptz, span interval, tags text[], label char(5), flag bool, big bigint, mac macaddr)"
    )
    ask(
        "INSERT INTO {s}.t VALUES (1, 0.1, 'NaN', 'NaN', 1e50, '\\xdead00', gen_random_uuid(), "
        """'{{"a": [1, null]}}', 'infinity', '2024-02-29 12:00:00.123456+05', '1 mon -3 days', '{{"a,b", NULL}}', """
        "'ab', true, 9223372036854775807, '08:00:2b:01:02:03'), "
        "(2, '-Infinity', 1.5, -0.001, 'Infinity', '', NULL, NULL, '4713-01-01 BC', '-infinity', NULL, '{{}}', '', "
        "false, NULL, NULL)"
    )
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (LIKE {s}.t, CHECK (id > 2))")
    assert run_pipeline(_MODES, **_DLQ).rows_rejected == 2
    ask("ALTER TABLE {d}.t DROP CONSTRAINT t_id_check")
    assert _outcome(replay()) == (2, 0)
    assert ask("SELECT t::text FROM {d}.t ORDER BY id") == ask("SELECT t::text FROM {s}.t ORDER BY id")
    assert waiting() == []


@pytest.fixture
def large(ask: Ask) -> Callable[[str], None]:
    """Makes two rows at the source, the second with the text, array and bytes that are given, which is refused."""

    def make(values: str) -> None:
        ask("CREATE TABLE {s}.t (id int, body text, tags text[], raw bytea)")
        ask("INSERT INTO {s}.t VALUES (1, 'small', NULL, NULL), (2, " + values + ")")
        ask("CREATE SCHEMA {d}")
        ask("CREATE TABLE {d}.t (id int CONSTRAINT small CHECK (id < 2), body text, tags text[], raw bytea)")

    return make


def test_row_of_megabytes_is_loaded_as_it_was(
    ask: Ask, large: Callable[[str], None], run_pipeline: RunPipeline, replay: Replay, waiting: Letters
) -> None:
    large("repeat('\u00e9\"', 700000), ARRAY[repeat('x', 2000000)], decode(repeat('00ff', 1000000), 'hex')")
    assert run_pipeline(_MODES, STREAM="t", ON_DATA_ERROR="skip").rows_rejected == 1
    assert waiting() == []
    ask("TRUNCATE {d}.t")
    assert run_pipeline(_MODES, **_DLQ).rows_rejected == 1
    assert [stored.letter.unreadable for stored in waiting()] == [()]
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    assert _outcome(replay()) == (1, 0)
    assert ask("SELECT id, md5(t::text) FROM {d}.t AS t ORDER BY id") == ask(
        "SELECT id, md5(t::text) FROM {s}.t AS t ORDER BY id"
    )
    assert waiting() == []


def test_row_that_is_too_large_to_be_kept_whole_is_cut_and_told_and_never_replayed(
    ask: Ask, large: Callable[[str], None], run_pipeline: RunPipeline, replay: Replay, waiting: Letters
) -> None:
    large("repeat('x', 20000000), ARRAY['a'], 'b'")
    assert run_pipeline(_MODES, STREAM="t", ON_DATA_ERROR="skip").rows_rejected == 1
    assert ask("SELECT id FROM {d}.t") == [(1,)]
    assert run_pipeline(_MODES, **_DLQ).rows_rejected == 1
    (letter,) = (stored.letter for stored in waiting())
    assert letter.row == {"id": "2", "body": "x" * 1024, "tags": "{a}", "raw": "\\x62"}
    assert letter.unreadable == ("body",)
    assert letter.reasons[1:] == ("Too large to be kept whole, only the beginning is: body (20000000 bytes).",)
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    for is_dry in (True, False):
        report = replay(is_dry=is_dry)
        assert _outcome(report) == (0, 1)
        assert report.streams[0].kept[0].reason.startswith("the letter does not hold body as it was")
    assert ask("SELECT id FROM {d}.t WHERE id = 2") == []
    assert len(waiting()) == 1


def test_row_that_could_not_be_read_at_the_source_is_loaded(
    ask: Ask, run_pipeline: RunPipeline, replay: Replay, waiting: Letters
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, u uuid, n numeric(5,2), at timestamptz)")
    ask("INSERT INTO {s}.t VALUES (1, gen_random_uuid(), -0.05, '294247-01-10 04:00:54.775807'), (2, NULL, NULL, NULL)")
    assert run_pipeline(_MODES, **_DLQ).rows_rejected == 1
    assert [stored.letter.rejected_at for stored in waiting()] == [RejectedAt.SOURCE]
    assert _outcome(replay()) == (1, 0)
    assert ask("SELECT t::text FROM {d}.t ORDER BY id") == ask("SELECT t::text FROM {s}.t ORDER BY id")


def test_upsert_takes_the_place_of_the_row_and_the_last_letter_of_a_key_wins(
    ask: Ask, run_pipeline: RunPipeline, replay: Replay, waiting: Letters
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, n int)")
    ask("INSERT INTO {s}.t VALUES (1, 100)")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int PRIMARY KEY, n int CONSTRAINT small CHECK (n < 50))")
    ask("INSERT INTO {d}.t VALUES (1, 1)")
    chosen = {**_DLQ, "WRITE_MODE": "upsert"}
    run_pipeline(_MODES, **chosen)
    ask("UPDATE {s}.t SET n = 200")
    run_pipeline(_MODES, **chosen)
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    assert _outcome(replay(WRITE_MODE="upsert")) == (2, 0)
    assert ask("SELECT * FROM {d}.t") == [(1, 200)]
    assert waiting() == []


@pytest.mark.usefixtures("rejected")
def test_replaced_table_gets_the_rows_that_no_later_run_has_met(
    ask: Ask, run_pipeline: RunPipeline, replay: Replay, waiting: Letters
) -> None:
    chosen = {**_DLQ, "WRITE_MODE": "replace"}
    run_pipeline(_MODES, **chosen)
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    report = replay(WRITE_MODE="replace")
    assert _outcome(report) == (3, 3)
    assert {letter.reason.partition(",")[0] for letter in report.streams[0].kept} == {
        "a run has replaced the table since"
    }
    assert ask("SELECT * FROM {d}.t ORDER BY id") == ask("SELECT * FROM {s}.t ORDER BY id")
    assert len(waiting()) == 3


def test_letter_of_a_run_without_its_commit_is_kept_for_the_next_run(
    ask: Ask, run_pipeline: RunPipeline, cli: Cli, replay: Replay, state_path: Path, waiting: Letters
) -> None:
    ask("CREATE TABLE {s}.t (id int)")
    ask("INSERT INTO {s}.t VALUES (1), (2)")
    ask("CREATE SCHEMA {d}")
    ask("CREATE TABLE {d}.t (id int CONSTRAINT small CHECK (id < 2))")
    killed = cli.run("run", _MODES, **_DLQ, STATE_PATH=str(state_path), **{VARIABLE: "destination.before_commit"})
    assert killed.code == -signal.SIGKILL
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    report = replay()
    assert _outcome(report) == (0, 1)
    assert report.streams[0].kept[0].reason.endswith("run the pipeline, which reads the row again")
    assert run_pipeline(_MODES, **_DLQ).rows_written == 2
    assert ask("SELECT id FROM {d}.t ORDER BY id") == [(1,), (2,)]
    assert waiting() == []


@pytest.mark.usefixtures("rejected")
def test_letters_without_a_stream_or_a_column_are_told_and_kept(ask: Ask, replay: Replay, waiting: Letters) -> None:
    ask("ALTER TABLE {s}.t DROP COLUMN label")
    report = replay()
    assert _outcome(report) == (0, 3)
    assert report.streams[0].kept[0].reason.startswith("the stream no longer has label")
    ask("CREATE TABLE {s}.other (id int)")
    report = replay(STREAM="other")
    assert {letter.reason for letter in report.streams[0].kept} == {"the pipeline has no stream of this name any more"}
    assert len(waiting()) == 3


@pytest.mark.usefixtures("rejected")
def test_command_tells_what_it_did_and_ends_with_the_code_for_data_where_rows_stay(
    ask: Ask, cli: Cli, state_path: Path
) -> None:
    chosen = {**_DLQ, "STATE_PATH": str(state_path)}
    dry = cli.run("dlq", "replay", _MODES, "--dry-run", "--json", **chosen)
    assert (dry.code, json.loads(dry.stdout)["rows_replayed"]) == (0, 3)
    refused = cli.run("dlq", "replay", _MODES, "--json", "--stream", "t", **chosen)
    assert (refused.code, json.loads(refused.stdout)["rows_kept"]) == (4, 3)
    ask("ALTER TABLE {d}.t DROP CONSTRAINT small")
    done = cli.run("dlq", "replay", _MODES, **chosen)
    assert (done.code, done.stdout.splitlines()[-1]) == (0, "modes: 3 rows replayed, 0 kept")
    assert cli.run("dlq", "replay", _MODES, **chosen).stdout == "No rejected rows of pipeline modes wait.\n"
