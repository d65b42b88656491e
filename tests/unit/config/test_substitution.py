"""Environment variables in a document: what replaces them, and what is still known of their place."""

from __future__ import annotations

import pytest

from rapidbyte.config.substitution import BadReference, Expanded, Span, expand


def expanded(text: str, **env: str) -> Expanded:
    result = expand(text, env)
    assert isinstance(result, Expanded)
    return result


@pytest.mark.parametrize(
    ("text", "env", "expected"),
    [
        ("a: ${X}", {"X": "1"}, "a: 1"),
        ("${X}${Y}", {"X": "1", "Y": "2"}, "12"),
        ("a: ${X:-fallback}", {}, "a: fallback"),
        ("a: ${X:-fallback}", {"X": ""}, "a: fallback"),
        ("a: ${X:-fallback}", {"X": "set"}, "a: set"),
        ("a: ${X:-}", {}, "a: "),
        ("a: ${X}", {"X": ""}, "a: "),
        ("a: ${X:-with space:-and more}", {}, "a: with space:-and more"),
        ("a: $X $${ ${ not closed", {"X": "1"}, "a: $X $${ ${ not closed"),
        ("a: ${X}", {"X": "${Y} ${X}"}, "a: ${Y} ${X}"),
    ],
)
def test_reference_is_replaced_once(text: str, env: dict[str, str], expected: str) -> None:
    assert expanded(text, **env).text == expected


def test_all_missing_variables_are_named_with_their_lines() -> None:
    assert expand("a: ${ONE}\nb: ${SET}\nc: ${TWO} ${ONE}", {"SET": "x\ny"}) == (
        BadReference(1, "environment variable ONE is not set; set it, or write ${ONE:-default}"),
        BadReference(3, "environment variable TWO is not set; set it, or write ${TWO:-default}"),
        BadReference(3, "environment variable ONE is not set; set it, or write ${ONE:-default}"),
    )


@pytest.mark.parametrize("reference", ["${}", "${1A}", "${A-b}", "${ A }", "${A:b}"])
def test_malformed_reference_is_refused(reference: str) -> None:
    message = (
        f"'{reference}' is not a variable; write ${{NAME}} or ${{NAME:-default}}, NAME being letters, digits and _"
    )
    assert expand(f"a: {reference}", {"A": "x"}) == (BadReference(1, message),)


def test_lines_are_those_of_the_author_when_a_variable_holds_line_ends() -> None:
    text = expanded("a: ${X}\nb: ${X}\nc: 1\n", X="1\n2\n3")
    assert text.text == "a: 1\n2\n3\nb: 1\n2\n3\nc: 1\n"
    assert [text.line_of(text.text.index(key)) for key in ("a:", "b:", "c:")] == [1, 2, 3]
    assert text.line_of(text.text.rindex("3")) == 2


def test_variables_are_found_where_their_text_overlaps() -> None:
    text = expanded("a: ${X}-${Y}\nb: ${Z:-free}\n", X="12", Y="34")
    assert text.spans == (Span(3, 5, "X"), Span(6, 8, "Y"))
    assert text.variables_in(0, 3) == ()
    assert text.variables_in(4, 5) == ("X",)
    assert text.variables_in(3, 8) == ("X", "Y")
    assert text.variables_on_line(1) == ("X", "Y")
    assert text.variables_on_line(2) == ()
