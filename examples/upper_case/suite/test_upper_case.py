"""The transform among connectors of rapidbyte, on a real Postgres."""

from __future__ import annotations

import pytest

from harness.cli import Cli
from harness.fix_kills import KillRun
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from rapidbyte.errors import ConfigError

_PIPELINE = "examples/upper_case/suite/upper_case.yaml"
_IN_CAPITALS = [
    (1, "QUIET", "stays as it is"),
    (2, "STRASSE", None),
    (3, None, "no word"),
    (4, "", ""),
]


@pytest.fixture(autouse=True)
def seeded_words(seeded: Seed) -> None:
    """Four words."""
    seeded("examples/upper_case/suite/words.sql")


def test_words_arrive_in_capital_letters_and_all_else_as_it_was(ask: Ask, run_pipeline: RunPipeline) -> None:
    (stream,) = run_pipeline(_PIPELINE).streams
    assert (stream.rows_read, stream.rows_written, stream.rows_filtered) == (4, 4, 0)
    assert ask("SELECT * FROM {d}.words ORDER BY id") == _IN_CAPITALS


def test_several_columns_can_be_named(ask: Ask, run_pipeline: RunPipeline) -> None:
    run_pipeline(_PIPELINE, COLUMNS="[word, note]")
    assert ask("SELECT word, note FROM {d}.words WHERE id = 1") == [("QUIET", "STAYS AS IT IS")]


@pytest.mark.parametrize(
    ("columns", "code", "said"),
    [
        pytest.param("[phrase]", "unknown_column", "no column phrase; it has id, word, note.", id="that is not there"),
        pytest.param("[id]", "no_text", "The column id of", id="of numbers"),
        pytest.param("[]", "invalid_document", "transforms[0].config.columns", id="none"),
    ],
)
def test_column_without_text_is_refused_before_a_row_moves(
    ask: Ask, run_pipeline: RunPipeline, columns: str, code: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        run_pipeline(_PIPELINE, COLUMNS=columns)
    assert caught.value.code == code
    assert said in caught.value.message
    assert ask("SELECT to_regnamespace('{d}')") == [(None,)]


@pytest.mark.parametrize("point", ["source.emitted", "destination.before_commit", "destination.committed"])
def test_each_word_arrives_once_after_a_kill(
    ask: Ask, run_pipeline: RunPipeline, kill_run: KillRun, point: str
) -> None:
    kill_run(_PIPELINE, point)
    run_pipeline(_PIPELINE)
    assert ask("SELECT * FROM {d}.words ORDER BY id") == _IN_CAPITALS


def test_check_tells_what_the_transform_does(cli: Cli) -> None:
    ended = cli.run("check", _PIPELINE)
    assert (ended.code, ended.stderr) == (0, "")
    assert "word in capital letters" in ended.stdout
