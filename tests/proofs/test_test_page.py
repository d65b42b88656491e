"""The page of a run's tests, in a real browser: it tells the truth, needs no pointer, is legible, loads nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.browser import Tab, tab
from proofs.scratch import Checkout

_FAILING = '\n\ndef test_on_purpose() -> None:\n    assert {"name": "Alice"} == {"name": "<b>Eve</b>"}\n'
_MANY = """
import sys
from pathlib import Path
from rapidbyte_pants.test_page.page import render_page
from rapidbyte_pants.test_page.tests.samples import many
Path(sys.argv[1]).write_text(render_page(many(5000)), encoding="utf-8")
"""
# The lightness of a colour against that of the paper below it, as WCAG 2 has it.
_CONTRASTS = """
(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (c) => c <= .03928 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => .2126 * linear(r / 255) + .7152 * linear(g / 255) + .0722 * linear(b / 255);
  const paper = (element) => {
    const colour = parse(getComputedStyle(element).backgroundColor);
    return colour[3] === 0 ? paper(element.parentElement) : colour;
  };
  const contrast = (element) => {
    const both = [parse(getComputedStyle(element).color), paper(element)].map(light);
    return (Math.max(...both) + .05) / (Math.min(...both) + .05);
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.querySelectorAll("body :not(script)")]
    .filter((element) => hasText(element) && element.getClientRects().length > 0 && contrast(element) < 4.5)
    .map((element) => element.outerHTML);
})()
"""
_FOCUSED = "[document.activeElement.tagName, document.activeElement.title || document.activeElement.innerText]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


@pytest.fixture(scope="module")
def page(checkout: Checkout) -> Path:
    """The page of a run in which one target was cached, and one ran and has a test that fails."""
    kept, edited = "tests/unit/config/test_sizes.py", "tests/unit/demo/test_report.py"
    assert checkout.pants("test", kept).code == 0
    with checkout.edited(edited, "", _FAILING):
        ended = checkout.pants("test", kept, edited)
    assert ended.code == 1, ended.text
    return checkout.folder / "dist" / "test" / "report.html"


def test_page_tells_what_failed_what_ran_and_what_was_kept(browser: Tab, page: Path) -> None:
    browser.open(page)
    rows = "suites.map((e) => [e.dataset.name, e.classList[1], e.querySelectorAll('.failed').length])"
    assert browser.value(rows) == [
        ["tests/unit/config/test_sizes.py", "kept", 0],
        ["tests/unit/demo/test_report.py", "ran", 1],
    ]
    shown = browser.value("document.querySelector('.failure').innerText")
    assert "test_on_purpose" in shown
    assert "<b>Eve</b>" in shown
    assert "1 failed" in browser.value("document.title")


def test_keys_lead_from_test_to_test_and_to_the_failure(browser: Tab, page: Path) -> None:
    browser.open(page)
    browser.press(
        "Tab", "Tab", "Tab", "Tab", "Tab", "Tab"
    )  # search, two filters, the failure and its text, the picture
    first, last = browser.value("[cells[0].title, cells[cells.length - 1].title]")
    assert browser.value(_FOCUSED) == ["LI", first]
    assert browser.value("document.getElementById('about').textContent") == f"tests/unit/config/test_sizes.py  {first}"
    browser.press("ArrowRight")
    assert browser.value(_FOCUSED) == ["LI", browser.value("cells[1].title")]
    browser.press("End")
    assert browser.value(_FOCUSED) == ["LI", last]
    assert last.startswith("test_on_purpose: failed")
    browser.value("document.querySelector('.failure').open = false")
    browser.press("Enter")
    assert browser.value("document.activeElement.parentElement.id") == "f" + browser.value("cells.at(-1).id.slice(1)")
    assert browser.value("document.querySelector('.failure').open")


def test_filters_leave_what_they_name_and_escape_brings_all_back(browser: Tab, page: Path) -> None:
    browser.open(page)
    shown = "cells.filter(isShown).map((cell) => cell.title.split(':')[0])"
    everything = browser.value(shown)
    browser.value("only.bad.click()")
    assert browser.value(shown) == ["test_on_purpose"]
    browser.press("Escape")
    browser.value("search.value = 'sizes'; filter()")
    assert browser.value(shown) == browser.value(
        "cells.filter((c) => /sizes/.test(c.closest('.suite').dataset.name)).map((cell) => cell.title.split(':')[0])"
    )
    assert browser.value("document.querySelector('.failure').hidden")
    browser.press("Escape")
    assert browser.value(shown) == everything
    assert not browser.value("document.querySelector('.failure').hidden")


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_all_text_has_contrast_enough(browser: Tab, page: Path, is_dark: bool) -> None:
    browser.open(page, is_dark=is_dark)
    assert browser.value(_CONTRASTS) == []


def test_thousands_of_tests_and_no_failure_open_and_answer(browser: Tab, checkout: Checkout, tmp_path: Path) -> None:
    many = tmp_path / "many.html"
    subprocess.run(
        [sys.executable, "-c", _MANY, str(many)],
        env={"PYTHONPATH": str(checkout.folder / "pants-plugins")},
        check=True,
    )
    browser.open(many)
    assert browser.value("document.querySelector('.verdict').textContent") == "Nothing failed."
    browser.value("search.value = '[42]'; filter()")
    assert browser.value("cells.filter(isShown).length") == 50
    assert browser.value("document.querySelectorAll('[tabindex=\"0\"]').length") == 1


def test_page_asks_for_nothing_and_complains_of_nothing(browser: Tab, page: Path) -> None:
    browser.open(page)
    assert {url.partition("?")[0] for url in browser.requested if not url.endswith("many.html")} == {page.as_uri()}
    assert browser.complaints == []
