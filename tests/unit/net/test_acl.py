"""Host rules: what each form of pattern allows, and how a bad one is named."""

from __future__ import annotations

import pytest

from rapidbyte.errors import ConfigError
from rapidbyte.net import HostRules


@pytest.mark.parametrize(
    ("patterns", "host", "is_allowed"),
    [
        ((), "db.example.com", False),
        (("*",), "db.example.com", True),
        (("*",), "/run/postgresql/.s.PGSQL.5432", True),
        (("*",), "", False),
        (("db.example.com",), "db.example.com", True),
        (("db.example.com",), "DB.Example.COM", True),
        (("DB.example.com",), "db.example.com.", True),
        (("db.example.com",), "db2.example.com", False),
        (("db.example.com",), "x.db.example.com", False),
        (("*.example.com",), "db.example.com", True),
        (("*.example.com",), "a.b.example.com", True),
        (("*.example.com",), "example.com", False),
        (("*.example.com",), ".example.com", False),
        (("*.example.com",), "badexample.com", False),
        (("*.example.com",), "/tmp/x.example.com", False),
        (("127.0.0.1",), "127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.2", False),
        (("::1",), "0:0:0:0:0:0:0:1", True),
        (("[::1]",), "::1", True),
        (("/run/pg/.s",), "/run/pg/.s", True),
        (("/run/pg/.s",), "/RUN/pg/.s", False),
        (("a.example", "b.example"), "b.example", True),
    ],
)
def test_a_pattern_allows(patterns: tuple[str, ...], host: str, is_allowed: bool) -> None:
    assert HostRules.of(patterns).allows(host) is is_allowed


def test_narrowing_allows_what_both_allow() -> None:
    rules = HostRules.of(("*.example.com",)).narrowed(HostRules.of(("db.example.com", "other.org")))
    assert [host for host in ("db.example.com", "x.example.com", "other.org") if rules.allows(host)] == [
        "db.example.com"
    ]


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("", "it is empty"),
        ("  ", "it is empty"),
        ("a*.example.com", "a star stands alone"),
        ("*.*.com", "a star stands alone"),
        ("**", "a star stands alone"),
        ("postgres://db", "without a scheme"),
        ("db/x", "without a scheme"),
        ("db:5432", "without a port"),
        ("*.db:5432", "without a port"),
        ("-db", "not a host name"),
        ("a b", "not a host name"),
        ("a..b", "not a host name"),
        ("x" * 64, "not a host name"),
    ],
)
def test_a_bad_pattern_is_named_with_the_reason(pattern: str, why: str) -> None:
    with pytest.raises(ConfigError) as caught:
        HostRules.of(("good.example", pattern))
    assert caught.value.code == "bad_host_pattern"
    assert repr(pattern) in caught.value.message
    assert why in caught.value.message
    assert "good.example" not in caught.value.message


def test_all_bad_patterns_are_named_together() -> None:
    with pytest.raises(ConfigError) as caught:
        HostRules.of(("", "db:1"))
    assert "''" in caught.value.message
    assert "'db:1'" in caught.value.message
