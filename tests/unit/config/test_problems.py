"""What the author of a wrong document is told: every problem, its line and path, and what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from unit.config.documents import MINIMAL, minimal, problems_of

WRONG = """\
version: "2.0"
pipeline: " "
sauce: 1
source:
  use: postgres
  config:
    password: ${PW}
  write_mode: append
  permissions: {network: {allowed_hosts: [a, 3]}}
  limits: {max_memory: 12xb, timeout_seconds: 0}
  streams:
    - name: users
      cursor_feild: id
    - name: users
      sync_mode: ${PW}
      columns: [a, a]
    - {name: orders, sync_mode: incremental}
destination:
  use: postgres
  config: {a: 1, a: 2}
  write_mode: replac
resources:
  parallelism: 0
  max_retries: 4
"""


def test_every_problem_of_a_document_is_reported_at_once() -> None:
    assert problems_of(WRONG, PW="hunter2") == [
        "1: version: Unsupported pipeline version '2.0', expected '1.0'",
        "2: pipeline: must not be blank",
        "3: sauce: is not a known key; did you mean 'source'?",
        "8: source.write_mode: is not a known key; it belongs under source.streams or destination",
        "9: source.permissions.network.allowed_hosts[1]: must be text, not a number; put it in quotes",
        "10: source.limits.max_memory: is not a size; write a whole number with kb, mb or gb, such as 64mb",
        "10: source.limits.timeout_seconds: must be more than 0",
        "12: source.streams[0].sync_mode: is required",
        "13: source.streams[0].cursor_feild: is not a known key; did you mean 'cursor_field'?",
        "14: source.streams[1].name: 'users' is the name of source.streams[0] already; name each stream once",
        "15: source.streams[1].sync_mode: the text of ${PW} is not one of full_refresh, incremental, cdc",
        "16: source.streams[1].columns: names a column twice; keep one",
        "17: source.streams[2].cursor_field: is required by sync_mode incremental; name a column whose values grow",
        "20: destination.config.a: stands twice in one mapping, first on line 20; keep one",
        "21: destination.write_mode: 'replac' is not one of append, replace, upsert; did you mean 'replace'?",
        "23: resources.parallelism: must be at least 1",
    ]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"version": 1.0}, 'version: must be "1.0", in quotes'),
        ({"pipeline": None}, "pipeline: is required"),
        ({"source__config": "secret"}, "source.config: must be a mapping, not text"),
        ({"source": []}, "source: must be a mapping, not a list"),
        ({"source__streams": []}, "source.streams: must not be an empty list"),
        (
            {"source__streams": {"name": "users"}},
            "source.streams: must be a list, not a mapping; begin each with a dash: `- name: ...`",
        ),
        ({"source__use": True}, "source.use: must be text, not true or false; put it in quotes"),
        (
            {"destination__limits": {"timeout_seconds": "1"}},
            "destination.limits.timeout_seconds: must be a number, not text",
        ),
        ({"destination__limits": {"max_memory": 0}}, "destination.limits.max_memory: must be at least 1"),
        ({"resources": {"parallelism": "many"}}, "resources.parallelism: must be auto or a whole number of at least 1"),
        (
            {"resources": {"max_inflight_batches": 1.5}},
            "resources.max_inflight_batches: must be a whole number, not a fraction",
        ),
        (
            {"resources": {"compression": "LZ4"}},
            "resources.compression: 'LZ4' is not one of none, lz4, zstd; did you mean 'lz4'?",
        ),
        (
            {"resources": {"max_memory": "32mb"}},
            "resources.max_batch_bytes: 67108864 bytes are more than max_memory, 33554432 bytes; "
            "lower it or raise max_memory",
        ),
        (
            {"destination__write_mode": {"append": None}},
            "destination.write_mode: a mapping is not one of append, replace, upsert",
        ),
        (
            {"state": {"backend": "postgres"}},
            "state.connection: is required where state.backend is postgres; "
            "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE",
        ),
        ({"state": {"backend": "mysql"}}, "state.backend: 'mysql' is not one of sqlite, postgres"),
        (
            {"state": {"connection": "postgresql://ada@db/state"}},
            "state.connection: is the address of a Postgres, but state.backend is sqlite; set backend: postgres",
        ),
        ({"state": {"max_dead_letters": 0}}, "state.max_dead_letters: must be at least 1"),
        (
            {"pipeline": "nightly (dead letters)"},
            "pipeline: must not end with (dead letters), which is for the receipts of `rapidbyte dlq replay`",
        ),
        ({"streams": []}, "streams: is not a known key; it belongs under source"),
        (
            {"source__config": {"when": {1, 2}}},
            "source.config.when: is a set that a pipeline cannot hold; use text, numbers, lists and mappings",
        ),
        (
            {"source__config": {"rate": float("nan")}},
            "source.config.rate: is a float that a pipeline cannot hold; use text, numbers, lists and mappings",
        ),
    ],
)
def test_wrong_value_is_told_with_what_would_be_right(change: dict[str, Any], problem: str) -> None:
    assert problems_of(minimal(**change)) == [problem]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "is empty; a pipeline needs version, pipeline, source and destination"),
        ("- a", "1: must be a mapping, not a list"),
        (
            "a:\n\t- b",
            "2: is not valid YAML: while scanning for the next token, "
            "found character '\\t' that cannot start any token",
        ),
        ("a: 'x", "1: is not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
        (
            "a: 1\n---\nb: 2",
            "2: is not valid YAML: expected a single document in the stream, but found another document",
        ),
        ("a:\n  b: \x00", "2: holds the character U+0000, which YAML forbids"),
        ("[" * 10_000, "1: is nested more than 64 levels deep"),
        ("&a [*a]", "1: is nested more than 64 levels deep"),
        (
            "a: &a [1,1,1,1,1,1,1,1]\n"
            + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 8)}]\n" for n in range(6)),
            "holds more than 20000 values, counting aliases each time",
        ),
    ],
)
def test_text_that_is_no_document_has_one_problem(text: str, problem: str) -> None:
    assert problems_of(text) == [problem]


@pytest.mark.parametrize("value", ["!hunter2", "*hunter2", "!<hunter2> x"])
def test_unquoted_password_is_not_repeated(value: str) -> None:
    problems = problems_of(MINIMAL.replace("{host: localhost}", f"\n    password: {value}", 1))
    assert len(problems) == 1
    assert problems[0].startswith("6: ")
    assert "hunter2" not in problems[0]


def test_merge_of_itself_is_refused() -> None:
    document = MINIMAL.replace("{host: localhost}", "&own {<<: *own}", 1)
    assert problems_of(document) == ["5: source.config: merges with `<<` what is not another mapping"]


def test_text_of_a_variable_that_breaks_the_document_is_not_shown() -> None:
    document = MINIMAL.replace("{host: localhost}", '{password: "${PW}"}', 1)
    assert problems_of(document, PW='hunter2" x') == [
        "5: is not valid YAML with the text of ${PW}; it needs quotes, or other ones"
    ]


def test_variable_that_breaks_the_document_is_told_from_those_before_it() -> None:
    document = MINIMAL.replace("{host: localhost}", '\n    host: ${HOST}\n    password: "${PW}"\n    port: 1', 1)
    assert problems_of(document, HOST="db", PW="we'ird\"pw") == [
        "7: is not valid YAML with the text of ${PW}; it needs quotes, or other ones"
    ]


def test_key_that_came_from_a_variable_is_not_shown() -> None:
    document = MINIMAL.replace("pipeline: nightly", "pipeline: nightly\n${PW}: 1")
    assert problems_of(document, PW="hunter2") == ["3: ${PW}: is not a known key"]
