"""Tests what reaches further than dependencies: the files that the option names, and the defaults of BUILD files."""

from __future__ import annotations

import pytest

from rapidbyte_pants.affected.build_files import defaults_reason, is_build_file
from rapidbyte_pants.affected.errors import OptionsError
from rapidbyte_pants.affected.everywhere import Everywhere, parse_everywhere


@pytest.mark.parametrize(
    ("glob", "path", "is_match"),
    [
        ("pants.toml", "pants.toml", True),
        ("pants.toml", "a/pants.toml", False),
        ("pants.toml", "pantsxtoml", False),
        ("plugins/*.py", "plugins/a.py", True),
        ("plugins/*.py", "plugins/a/b.py", False),
        ("plugins/**", "plugins/a/b.py", True),
        ("**/conf.toml", "conf.toml", True),
        ("**/conf.toml", "a/b/conf.toml", True),
        ("a?.lock", "ab.lock", True),
        ("a?.lock", "a/.lock", False),
        ("a.b+c", "a.b+c", True),
    ],
)
def test_globs_match_as_those_of_pants(glob: str, path: str, is_match: bool) -> None:
    assert Everywhere(glob, "").matches(path) is is_match


def test_reason_alone_reaches_everything_and_targets_limit_it() -> None:
    option = {"b": "all read it.", "a": {"reason": " some read it. ", "targets": ["python_test"]}}
    assert parse_everywhere(option, {"python_test"}) == (
        Everywhere("a", "some read it.", ("python_test",)),
        Everywhere("b", "all read it."),
    )


def test_all_that_is_wrong_is_named_together() -> None:
    option = {
        "a": 5,
        "b": {"reason": "", "targets": "python_test"},
        "c": {"reason": "it is read.", "targets": ["pyton_test"]},
        "d": {"raeson": "it is read."},
    }
    with pytest.raises(OptionsError) as raised:
        parse_everywhere(option, {"python_test"})
    assert str(raised.value).splitlines() == [
        "[affected.everywhere] a: give the reason, or a table of `reason` and `targets`.",
        "[affected.everywhere] b: say in `reason` how the file enters a test.",
        '[affected.everywhere] b: `targets` is a list of target types, such as ["python_test"].',
        "[affected.everywhere] d: give the reason, or a table of `reason` and `targets`.",
        "[affected.everywhere] c: there is no target type `pyton_test`.",
    ]


@pytest.mark.parametrize(
    ("path", "is_build"),
    [("BUILD", True), ("a/BUILD", True), ("a/BUILD.pants", True), ("a/BUILDING", False), ("BUILD/a", False)],
)
def test_build_files(path: str, is_build: bool) -> None:
    assert is_build_file(path) is is_build


@pytest.mark.parametrize(
    ("was", "now", "is_reason"),
    [
        ("files()", "files(name='a')", False),
        ("__defaults__(all={'tags': ['a']})", "# why\n__defaults__(\n  all={'tags': ['a']},\n)\nfiles()", False),
        ("__defaults__(all={'tags': ['a']})", "__defaults__(all={'tags': ['b']})", True),
        ("__defaults__(all={'tags': ['a']})", "", True),
        ("", "__defaults__(all={'tags': ['a']})", True),
        ("files()", "files(", True),
    ],
)
def test_changed_defaults_reach_what_lies_below(was: str, now: str, is_reason: bool) -> None:
    reason = "a/BUILD changes the defaults of the targets below its folder."
    assert defaults_reason("a/BUILD", was, now) == (reason if is_reason else None)
