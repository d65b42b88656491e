"""Narrowed host rules are never wider than either side, whatever the patterns and hosts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rapidbyte.host_patterns import explain_bad_pattern
from rapidbyte.net import HostRules

_LABEL = st.sampled_from(["a", "b", "db", "DB", "example"])
_NAME = st.lists(_LABEL, min_size=1, max_size=3).map(".".join)
_HOST = _NAME | st.sampled_from(["127.0.0.1", "::1", "/run/a", ""]) | st.text(max_size=8)
_PATTERN = st.just("*") | _NAME | _NAME.map("*.{}".format) | st.sampled_from(["127.0.0.1", "::1", "/run/a"])
_PATTERNS = st.lists(_PATTERN, max_size=4).map(tuple)


@given(_PATTERNS, _PATTERNS, _HOST)
def test_narrowing_is_exactly_the_intersection(manifest: tuple[str, ...], pipeline: tuple[str, ...], host: str) -> None:
    ours, theirs = HostRules.of(manifest), HostRules.of(pipeline)
    assert ours.narrowed(theirs).allows(host) == (ours.allows(host) and theirs.allows(host))


@given(_PATTERNS, _HOST)
def test_case_never_matters_but_for_paths(patterns: tuple[str, ...], host: str) -> None:
    rules = HostRules.of(patterns)
    if host.isascii() and not host.startswith("/"):
        assert rules.allows(host.upper()) == rules.allows(host.lower())


@given(st.text(max_size=20))
def test_any_text_is_a_good_pattern_or_has_a_reason(pattern: str) -> None:
    why = explain_bad_pattern(pattern)
    if why is None:
        assert HostRules.of((pattern,)).layers[0] != ()
    else:
        assert why
