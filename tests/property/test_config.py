"""Any document gives a Pipeline or typed errors, never a crash, and never the text of a variable."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from rapidbyte.config import load, load_text, parse_size
from rapidbyte.errors import DocumentError
from rapidbyte.model import Pipeline

SECRET = "hunter2hunter2"
_KEYS = (
    *("version", "pipeline", "source", "destination", "transforms", "state", "resources", "use", "config", "streams"),
    *(
        "name",
        "sync_mode",
        "write_mode",
        "columns",
        "limits",
        "max_memory",
        "timeout_seconds",
        "permissions",
        "network",
    ),
    *("allowed_hosts", "autotune", "parallelism", "max_batch_bytes", "<<"),
)
_WORDS = st.sampled_from((*_KEYS, "full_refresh", "append", "auto", "1.0", "64mb", "${SECRET}", "${UNSET:-x}"))
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | _WORDS
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=3), inner, max_size=5),
    max_leaves=25,
)
_PUNCTUATION = st.text(alphabet=" \n\t:-#&*!|>'\"%@`{}[]<,?~0aé$\r\u2028\ufeff", max_size=30)


def check(attempt: Callable[[], Pipeline]) -> None:
    """Let `attempt` give a Pipeline or problems, which do not show the secret."""
    outcome: Pipeline | DocumentError
    try:
        outcome = attempt()
    except DocumentError as error:
        outcome = error
    if isinstance(outcome, DocumentError):
        assert outcome.problems
        assert SECRET not in str(outcome)


def check_text(text: str) -> None:
    env = {"SECRET": SECRET, "ODD": "a: b # c\n'\"\t- &x *x !x"}
    check(lambda: load_text(text, "p.yaml", env))


def nest(path: list[str | int], value: Any) -> Any:
    document: dict[str, Any] = {
        "version": "1.0",
        "pipeline": "p",
        "source": {"use": "a", "config": {}, "streams": [{"name": "t", "sync_mode": "full_refresh"}]},
        "destination": {"use": "b", "config": {}, "write_mode": "append"},
        "resources": {},
        "state": {},
    }
    section: Any = document
    for part in path[:-1]:
        section = section[part]
    section[path[-1]] = value
    return document


_PATHS: st.SearchStrategy[list[str | int]] = st.sampled_from(
    [
        ["version"],
        ["pipeline"],
        ["source"],
        ["source", "config"],
        ["source", "limits"],
        ["source", "permissions"],
        ["source", "streams"],
        ["source", "streams", 0],
        ["source", "streams", 0, "columns"],
        ["destination", "write_mode"],
        ["destination", "schema_evolution"],
        ["transforms"],
        ["state"],
        ["resources"],
        ["resources", "max_memory"],
        ["resources", "autotune"],
    ]
)


@given(st.text(max_size=60) | _PUNCTUATION | st.lists(_PUNCTUATION | _WORDS | st.just("${ODD}")).map("".join))
@example("a: &a {<<: *a}")
@example("? {a: b}\n: c")
@example("a: !!float .inf")
def test_any_text_is_a_pipeline_or_problems(text: str) -> None:
    check_text(text)


@given(_PATHS, _VALUES)
@example(["destination", "write_mode"], {"${SECRET}": None})
def test_any_value_anywhere_is_a_pipeline_or_problems(path: list[str | int], value: Any) -> None:
    check_text(yaml.safe_dump(nest(path, value), allow_unicode=True))


@given(_PATHS, _VALUES)
def test_any_python_value_anywhere_is_a_pipeline_or_problems(path: list[str | int], value: Any) -> None:
    check(lambda: load(nest(path, value)))


@given(st.integers(min_value=0, max_value=2**33 - 1), st.sampled_from(["", "kb", "MB", "Gb"]))
def test_size_is_its_number_times_its_unit(number: int, unit: str) -> None:
    factor = {"": 1, "kb": 2**10, "mb": 2**20, "gb": 2**30}[unit.lower()]
    assert parse_size(f"{number}{unit}") == number * factor
