"""Tests how names are shown: safe, and short."""

from __future__ import annotations

import pytest

from rapidbyte_pants.affected.names import markup, printable, shorten, split_name, width


def test_what_is_no_plain_character_is_escaped() -> None:
    assert printable("é 漢 \t\x7f\u202e\ud800") == "é 漢 \\t\\x7f\\u202e\\ud800"


def test_markup_is_escaped_for_text_and_attributes() -> None:
    assert markup("<a b=\"c\" d='e'>&") == "&lt;a b=&quot;c&quot; d=&#39;e&#39;&gt;&amp;"


@pytest.mark.parametrize(
    ("name", "folder", "rest"),
    [
        ("src/lib.py", "src", "lib.py"),
        ("pants.toml", "//", "pants.toml"),
        ("src/app:bin", "src", "app:bin"),
        ("src/lib.py:../tgt", "src", "lib.py:../tgt"),
        ("//:docs", "//", ":docs"),
    ],
)
def test_name_has_a_folder_and_a_rest(name: str, folder: str, rest: str) -> None:
    assert split_name(name) == (folder, rest)


@pytest.mark.parametrize(
    ("text", "columns", "shown"),
    [
        ("test_app.py", 11, "test_app.py"),
        ("test_application.py", 11, "test…ion.py"),
        ("漢字漢字漢字", 7, "漢…漢字"),
        ("e\u0301" * 5, 5, "e\u0301" * 5),
    ],
)
def test_name_is_cut_in_its_middle(text: str, columns: int, shown: str) -> None:
    assert shorten(text, columns) == shown
    assert width(shown) <= columns
