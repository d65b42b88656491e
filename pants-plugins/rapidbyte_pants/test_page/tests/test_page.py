"""Tests the page: what it says, that it loads nothing, and that hostile names and messages stay text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from rapidbyte_pants.test_page.model import Case, Origin, Outcome, Suite
from rapidbyte_pants.test_page.page import render_page, summary
from rapidbyte_pants.test_page.tests import samples

HOSTILE = "</script></pre><img src=x onerror=alert(1)>\"'&amp;\x00\x1b]]>\ud800"
_VOID = {"meta", "input"}


class Page(HTMLParser):
    """What a browser makes of a page: its elements, properly nested, and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def all(self, tag: str, kind: str = "") -> list[dict[str, str | None]]:
        return [
            found for name, found in self.elements if name == tag and kind in ("", *(found.get("class") or "").split())
        ]


def hostile() -> Suite:
    case = Case(HOSTILE, HOSTILE, Outcome.FAILED, 1.0, f"E  {HOSTILE}\n{HOSTILE}\n\tindented")
    return Suite(f"tests/{HOSTILE}.py", (case,), Origin.RAN, 1.0)


def test_summary_counts_tests_by_outcome_and_targets_by_origin() -> None:
    assert summary((samples.FAILED, samples.PASSED)) == (
        "4 tests of 2 targets: 2 passed, 1 failed, 1 skipped. "
        "Targets: 1 ran, 1 from the local cache; 1 min 2 s of work."
    )


def test_picture_has_a_cell_for_each_test_with_its_outcome_and_a_gap_before_each_function() -> None:
    page = Page(render_page((samples.FAILED, samples.PASSED)))
    assert [(cell["class"], cell["id"], cell["title"]) for cell in page.all("li")] == [
        ("failed first", "t0", "test_rows: failed, 1 min 1 s"),
        ("passed first", "t1", "test_one: passed, 0.25 s"),
        ("passed first", "t2", "test_two[x]: passed, 0.50 s"),
        ("skipped", "t3", "test_two[y]: skipped, 0.00 s"),
    ]
    assert [row["class"] for row in page.all("div", "suite")] == ["suite ran bad", "suite kept"]
    assert [bar["style"] for bar in page.all("span", "bar")] == ["width:100.0%", "width:2.4%"]


def test_failure_is_there_in_full_with_its_difference_marked() -> None:
    page = render_page((samples.FAILED, samples.PASSED))
    assert [failure["id"] for failure in Page(page).all("details")] == ["f0"]
    lines = re.findall(r"<pre[^>]*>(.*)</pre>", page, re.DOTALL)[0].splitlines()
    for line in (
        "&gt;       assert not difference",
        "<em>E       AssertionError: rows differ; - missing, + surplus:</em>",
        "<del>E         - id=&#39;1&#39;, name=&#39;Alice&#39;</del>",
        "<ins>E         + id=&#39;1&#39;, name=&#39;Eve&#39;</ins>",
        "<b>------------------------------- the server&#39;s log -------------------------------</b>",
        "ERROR:  none",
    ):
        assert line in lines


def test_page_without_failures_says_so() -> None:
    page = render_page((samples.PASSED,))
    assert '<p class="verdict">Nothing failed.</p>' in page
    assert '<body class="good">' in page
    assert Page(page).all("details") == []


def test_cells_of_tests_with_one_name_lead_each_to_its_own_failure() -> None:
    twins = tuple(Case("test_a", "test_a", Outcome.FAILED, 0.0, message) for message in ("first", "second"))
    page = Page(render_page((Suite("tests/a.py", twins, Origin.RAN, 1.0),)))
    assert [failure["id"] for failure in page.all("details")] == ["f0", "f1"]


def test_hostile_names_and_messages_stay_text() -> None:
    page = Page(render_page((hostile(),)))
    assert [name for name, _ in page.elements].count("script") == 1
    assert page.all("img") == []
    assert not [name for _, found in page.elements for name in found if name.startswith("on")]


@pytest.mark.parametrize("suites", [(), (samples.PASSED,), (samples.FAILED, samples.PASSED), samples.many(5000)])
def test_page_loads_nothing_and_is_well_nested(suites: tuple[Suite, ...]) -> None:
    text = render_page(suites)
    page = Page(text)
    assert set(re.findall(r"\b\w+://[^\s\"'<]*", text)) == set()
    assert not {name for _, found in page.elements for name in found} & {"src", "href", "srcset", "action"}
    assert len(page.all("li")) == sum(len(suite.cases) for suite in suites)
