"""Rows held against rules on their way: fail, skip and dlq, chains, what is refused before a row moves, and kills."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

import rapidbyte
from harness.cli import Cli
from harness.fix_gate import Gate
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from rapidbyte.engine.points import VARIABLE
from rapidbyte.errors import ConfigError, DataError
from rapidbyte.model import RunReport, StateSpec
from rapidbyte.state import DeadLetter, RejectedAt, open_state

_VALIDATE = "fixtures/pipelines/validate.yaml"
_CHAIN = "fixtures/pipelines/validate_chain.yaml"
_ANY = "[{assert_not_null: id}]"

Letters = Callable[[], list[DeadLetter]]


@pytest.fixture
def letters(state_path: Path) -> Letters:
    """What the dead-letter queue holds."""

    def read() -> list[DeadLetter]:
        with open_state(StateSpec(connection=str(state_path))) as state:
            return [stored.letter for stored in state.dead_letters.list()]

    return read


@pytest.fixture
def people(seeded: Seed) -> None:
    """Two rows that keep all rules, and five that break some."""
    seeded("fixtures/sql/people.sql")


def _counts(report: RunReport) -> tuple[int, int, int]:
    (stream,) = report.streams
    assert stream.rows_filtered == 0
    return stream.rows_read, stream.rows_written, stream.rows_rejected


@pytest.mark.usefixtures("people")
def test_fail_ends_the_run_with_the_first_row_and_all_its_reasons_and_writes_nothing(
    ask: Ask, run_pipeline: RunPipeline
) -> None:
    with pytest.raises(DataError) as caught:
        run_pipeline(_VALIDATE)
    assert caught.value.code == "rule_broken"
    assert caught.value.message.startswith(
        "Row 2 of people, as the source gave them, breaks a rule: assert_not_null(email): is NULL; "
        "assert_regex(email): NULL does not match ^[^@ ]+@[^@ ]+$. "
    )
    assert dict(caught.value.info.details) == {"stream": "people", "connector": "transform validate"}
    assert ask("SELECT to_regclass('{d}.people')") == [(None,)]


@pytest.mark.usefixtures("people")
def test_skip_writes_the_rows_that_keep_all_rules(ask: Ask, run_pipeline: RunPipeline, letters: Letters) -> None:
    assert _counts(run_pipeline(_VALIDATE, ON_DATA_ERROR="skip")) == (7, 2, 5)
    assert ask("SELECT * FROM {d}.people ORDER BY id") == ask(
        "SELECT * FROM {s}.people WHERE id = 6 OR age = 30 ORDER BY id"
    )
    assert letters() == []


@pytest.mark.usefixtures("people")
def test_dlq_keeps_each_other_row_with_every_reason(
    ask: Ask, run_pipeline: RunPipeline, letters: Letters, snapshot: SnapshotAssertion
) -> None:
    assert _counts(run_pipeline(_VALIDATE, ON_DATA_ERROR="dlq")) == (7, 2, 5)
    assert ask("SELECT * FROM {d}.people ORDER BY id") == ask(
        "SELECT * FROM {s}.people WHERE id = 6 OR age = 30 ORDER BY id"
    )
    kept = letters()
    assert {(letter.rejected_at, letter.code) for letter in kept} == {(RejectedAt.TRANSFORM, "rule_broken")}
    assert [(dict(letter.row), letter.reasons) for letter in kept] == snapshot


@pytest.mark.usefixtures("people")
def test_rows_that_are_written_are_those_of_the_snapshot(
    ask: Ask, run_pipeline: RunPipeline, snapshot: SnapshotAssertion
) -> None:
    rules = {"FIRST_RULES": "[{assert_range: {age: {max: 60}}}]", "SECOND_RULES": "[{assert_regex: {email: '@'}}]"}
    assert _counts(run_pipeline(_CHAIN, ON_DATA_ERROR="skip", **rules)) == (7, 3, 4)
    assert ask("SELECT id, email, age, balance::text, joined::text FROM {d}.people ORDER BY age") == snapshot


@pytest.mark.usefixtures("people")
def test_chain_rejects_a_row_where_it_first_breaks_a_rule(run_pipeline: RunPipeline, letters: Letters) -> None:
    rules = {
        "FIRST_RULES": "[{assert_range: {field: age, max: 100}}]",
        "SECOND_RULES": "[{assert_regex: {field: email, pattern: '@'}}, {assert_unique: [id]}]",
    }
    assert _counts(run_pipeline(_CHAIN, ON_DATA_ERROR="dlq", **rules)) == (7, 2, 5)
    assert sorted((letter.row["id"], letter.reasons) for letter in letters()) == [
        ("1", ("assert_unique(id): 1 came before",)),
        ("2", ("assert_regex(email): NULL does not match @",)),
        ("3", ("assert_range(age): 200 is not at most 100",)),
        ("5", ("assert_range(age): NULL is not at most 100",)),
        ("6", ("assert_range(age): 150 is not at most 100",)),
    ]


@pytest.mark.parametrize(
    ("rules", "code", "words"),
    [
        (
            "[{assert_not_null: nobody}]",
            "unknown_column",
            "assert_not_null is for the column nobody, and {s}.people has none of that name; it has id, email, age",
        ),
        ("[{assert_regex: {age: x}}]", "rule_type", "the column holds whole numbers, and a pattern is for text"),
        ("[{assert_range: {email: {min: 1}}}]", "rule_type", "a range is for numbers, dates and times"),
        ("[{assert_range: {joined: {min: soon}}}]", "rule_type", "the column holds dates, and soon is none"),
        ("[{assert_regex: {email: (}}]", "bad_rule", "rules[0].assert_regex: the pattern of email: regex parse error"),
        ("[{assert_unique: id, streams: [folk]}]", "unknown_stream", "stream folk, which is none of people"),
        ("[{assert_uniq: id}]", "invalid_document", "transforms[0].config.rules[0].assert_uniq"),
        ("[]", "invalid_document", "transforms[0].config.rules"),
    ],
)
@pytest.mark.usefixtures("people")
def test_rules_that_cannot_hold_are_refused_by_check_and_before_a_row_moves(
    ask: Ask, variables: Mapping[str, str], run_pipeline: RunPipeline, rules: str, code: str, words: str
) -> None:
    chosen = {"FIRST_RULES": rules, "SECOND_RULES": _ANY}
    with pytest.raises(ConfigError) as caught:
        rapidbyte.check_pipeline(Path(_CHAIN), env={**variables, **chosen})
    assert caught.value.code == code
    assert words.replace("{s}", variables["SOURCE_SCHEMA"]) in caught.value.message
    with pytest.raises(ConfigError) as again:
        run_pipeline(_CHAIN, **chosen)
    assert again.value.code == code
    assert ask("SELECT to_regnamespace('{d}')") == [(None,)]


@pytest.mark.usefixtures("people")
def test_check_tells_of_each_transform(variables: Mapping[str, str]) -> None:
    checks = rapidbyte.check_pipeline(Path(_VALIDATE), env=variables).checks
    told = [(check.subject, check.name, check.message) for check in checks]
    assert ("transforms[0]", "config", "transform validate accepts its config") in told
    assert ("transforms[0]", "rules", "7 columns are held against a rule") in told
    assert ("people", "transforms", "5 columns leave them: id, email, age, balance, joined") in told


@pytest.mark.usefixtures("people")
def test_dry_run_shows_the_rows_that_would_be_written(variables: Mapping[str, str]) -> None:
    (preview,) = rapidbyte.preview_pipeline(Path(_VALIDATE), env={**variables, "ON_DATA_ERROR": "skip"})
    assert [column.name for column in preview.columns] == ["id", "email", "age", "balance", "joined"]
    assert preview.rows == (
        ("1", "ana@example.com", "30", "10.00", "2024-01-01"),
        ("6", "fay@example.com", "150", "0.00", "2024-12-31"),
    )


def test_every_type_passes_unchanged_and_is_printed_as_postgres_does(
    ask: Ask, seeded: Seed, run_pipeline: RunPipeline, letters: Letters
) -> None:
    seeded("fixtures/sql/all_types.sql")
    columns = [
        name
        for (name,) in ask(
            "SELECT attname::text FROM pg_attribute WHERE attrelid = '{s}.all_types'::regclass AND attnum > 0"
        )
    ]
    never = "[{assert_range: {id: {max: -1}}}]"
    run_pipeline(_CHAIN, STREAM="all_types", ON_DATA_ERROR="dlq", FIRST_RULES=_ANY, SECOND_RULES=never)
    ask("SET DateStyle = ISO; SET TimeZone = UTC")
    # Casts of these say something else than their types' output.
    forms = dict.fromkeys(("c_bool", "c_char"), "CASE WHEN {0} IS NOT NULL THEN format('%s', {0}) END")
    texts = ", ".join(forms.get(name, "{0}::text").format(name) for name in columns)
    expected = ask(f"SELECT {texts} FROM {{s}}.all_types ORDER BY id")
    assert [tuple(letter.row[name] for name in columns) for letter in letters()] == expected


def test_uniqueness_is_of_the_whole_stream_over_many_batches(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE TABLE {s}.t (id int, name text)")
    ask("INSERT INTO {s}.t SELECT i % 19000, repeat('x', 50) || i FROM generate_series(1, 20000) AS i")
    rules = {"FIRST_RULES": "[{assert_unique: [id, name]}]", "SECOND_RULES": _ANY}
    assert _counts(run_pipeline(_CHAIN, STREAM="t", ON_DATA_ERROR="skip", BATCH_BYTES="64kb", **rules)) == (
        20000,
        19000,
        1000,
    )
    assert ask("SELECT count(*), count(DISTINCT id) FROM {d}.t") == [(19000, 19000)]


def test_rules_hold_in_every_lane_of_a_large_table(
    ask: Ask, seeded: Seed, make_gate: Callable[[str], Gate], variables: Mapping[str, str], state_path: Path
) -> None:
    seeded("fixtures/sql/large.sql")
    gate = make_gate("large")
    chosen = {"STREAM": "large", "LANES": "2", "ON_DATA_ERROR": "skip", "SECOND_RULES": _ANY}
    chosen |= {"FIRST_RULES": "[{assert_range: {id: {min: 1}}}]"}
    report = rapidbyte.run_pipeline(
        Path(_CHAIN), env={**variables, **chosen}, state_path=state_path, on_event=gate.opened_by(2)
    )
    assert (_counts(report), report.streams[0].lanes) == ((12_000, 6_000, 6_000), 2)
    good = ask("SELECT id, code FROM {s}.large WHERE id > 0 ORDER BY id")
    assert ask("SELECT id, code FROM {d}.large ORDER BY id") == good


def test_stream_whose_values_are_to_be_unique_has_one_lane(seeded: Seed, run_pipeline: RunPipeline) -> None:
    seeded("fixtures/sql/large.sql")
    rules = {"FIRST_RULES": "[{assert_unique: [id, code]}]", "SECOND_RULES": _ANY}
    report = run_pipeline(_CHAIN, STREAM="large", LANES="3", **rules)
    assert (_counts(report), report.streams[0].lanes) == ((12_000, 12_000, 0), 1)


def test_more_values_than_fit_the_memory_are_a_typed_error(ask: Ask, run_pipeline: RunPipeline) -> None:
    ask("CREATE TABLE {s}.t (id int)")
    ask("INSERT INTO {s}.t SELECT generate_series(1, 600000)")
    rules = {"FIRST_RULES": "[{assert_unique: id}]", "SECOND_RULES": _ANY}
    with pytest.raises(DataError) as caught:
        run_pipeline(_CHAIN, STREAM="t", MAX_MEMORY="16mb", **rules)
    assert caught.value.code == "too_many_values"
    assert "limits.max_memory" in caught.value.message
    assert ask("SELECT to_regclass('{d}.t')") == [(None,)]


@pytest.mark.parametrize("point", ["source.emitted:4", "destination.before_commit:2", "destination.committed:2"])
@pytest.mark.parametrize("rules", ["[{assert_range: {n: {min: 0}}}]", "[{assert_unique: n}]"], ids=["range", "unique"])
def test_killed_run_is_carried_on_without_a_row_or_a_letter_more_or_less(
    ask: Ask, run_pipeline: RunPipeline, cli: Cli, letters: Letters, state_path: Path, point: str, rules: str
) -> None:
    ask("CREATE TABLE {s}.t (id int PRIMARY KEY, n int, filler text)")
    ask(
        "INSERT INTO {s}.t SELECT i, CASE WHEN i % 700 = 0 THEN -1 ELSE i END, repeat('x', 99) "
        "FROM generate_series(0, 4999) AS i"
    )
    bad = [key for (key,) in ask("SELECT id FROM {s}.t WHERE n < 0 ORDER BY id")]
    bad = bad if "range" in rules else bad[1:]
    chosen = {"STREAM": "t", "SYNC_MODE": "incremental", "CURSOR": "id", "ON_DATA_ERROR": "dlq"}
    chosen |= {"STATE_PATH": str(state_path), "BATCH_BYTES": "64kb", "CHECKPOINT_ROWS": "500"}
    chosen |= {"FIRST_RULES": rules, "SECOND_RULES": _ANY}
    # A stream that must be seen whole has no second commit to be killed at.
    point = point.removesuffix(":2") if "unique" in rules else point
    killed = cli.run("run", _CHAIN, **chosen, **{VARIABLE: point})
    assert killed.code == -signal.SIGKILL, killed.stderr
    run_pipeline(_CHAIN, **chosen)
    assert ask("SELECT count(*), count(DISTINCT id) FROM {d}.t") == [(5000 - len(bad), 5000 - len(bad))]
    assert ask("SELECT count(*) FROM {d}.t JOIN {s}.t USING (id, n, filler)") == [(5000 - len(bad),)]
    assert sorted(int(str(letter.row["id"])) for letter in letters()) == bad
