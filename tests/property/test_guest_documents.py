"""What guests pass as JSON: whatever it is, it is read as what the ABI says, or refused with a code; never a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rapidbyte.errors import RapidbyteError
from rapidbyte.frames import Durable, FrameKind, FrameMetadata, Rejection
from rapidbyte.model import StateScope
from rapidbyte.wasm import StateName

_PARSERS: list[Callable[[bytes], object]] = [FrameMetadata.parse, Durable.parse, Rejection.parse, StateName.parse]
_MOST = 2**63 - 1

_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)
_words = st.sampled_from(
    [
        "schema",
        "batch",
        "end",
        "pipeline",
        "stream",
        "connector",
        "data",
        "internal",
        "",
        "a",
        "x" * 300,
        "\0",
        "\ud800",
    ]
)
_keys = st.sampled_from(
    [
        "stream",
        "kind",
        "rows",
        "bytes",
        "position",
        "filtered",
        "category",
        "code",
        "reason",
        "reasons",
        "row",
        "scope",
        "name",
    ]
)
_near_misses = st.dictionaries(_keys, _words | st.integers(-1, 3) | _values, max_size=8)


@pytest.mark.parametrize("parse", _PARSERS, ids=lambda parse: parse.__self__.__name__)
@given(document=st.binary() | st.builds(json.dumps, _values | _near_misses).map(str.encode))
def test_any_bytes_are_read_or_refused_with_a_code(parse: Callable[[bytes], object], document: bytes) -> None:
    refusal = None
    try:
        parse(document)
    except RapidbyteError as error:
        refusal = error.code
    assert refusal in (None, "invalid_argument", "too_large")


@given(
    stream=st.integers(0, _MOST),
    kind=st.sampled_from(FrameKind),
    rows=st.integers(0, _MOST),
    size=st.integers(0, _MOST),
    position=st.none() | st.dictionaries(st.text(), st.text() | st.integers() | st.none()),
)
def test_metadata_comes_back(
    stream: int, kind: FrameKind, rows: int, size: int, position: dict[str, Any] | None
) -> None:
    metadata = FrameMetadata(stream, kind, rows, size, None if kind is FrameKind.SCHEMA else position)
    assert FrameMetadata.parse(metadata.to_json()) == metadata


@given(
    scope=st.sampled_from(StateScope),
    stream=st.integers(0, _MOST),
    name=st.text(min_size=1, max_size=255).filter(lambda name: name.isprintable() and len(name.encode()) <= 255),
)
def test_names_of_kept_values_come_back(scope: StateScope, stream: int, name: str) -> None:
    of_stream = {"stream": stream} if scope is StateScope.STREAM else {}
    document = json.dumps({"scope": scope.value, "name": name, **of_stream}).encode()
    assert StateName.parse(document) == StateName(scope, of_stream.get("stream"), name)
