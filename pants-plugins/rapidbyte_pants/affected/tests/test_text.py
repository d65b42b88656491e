"""Tests what a terminal shows, to the letter."""

from __future__ import annotations

from rapidbyte_pants.affected.model import Change, Explained, Reach, Report, Scenario, Status
from rapidbyte_pants.affected.tests.samples import DOC, LIB, SCENARIOS, SETTINGS, SINCE, report
from rapidbyte_pants.affected.text import render_text


def test_scenarios_come_with_their_chains_and_what_has_no_effect_comes_last() -> None:
    assert render_text(report(DOC, LIB)) == (
        "1 of 2 scenarios is affected by 2 changed files since main (0123456789).\n"
        "\n"
        "tests/test_app.py\n"
        "  src/lib.py (modified)\n"
        "  └─ src/app.py\n"
        "     └─ tests/test_app.py\n"
        "\n"
        "No effect on these scenarios:\n"
        "  docs/a.md (added): no target owns it\n"
    )


def test_everything_is_said_with_its_reason() -> None:
    assert render_text(report(LIB, SETTINGS)) == (
        "2 of 2 scenarios are affected by 2 changed files since main (0123456789).\n"
        "\n"
        "settings.toml (modified) affects everything: every test reads it.\n"
        "\n"
        "tests/test_app.py\n"
        "  src/lib.py (modified)\n"
        "  └─ src/app.py\n"
        "     └─ tests/test_app.py\n"
        "  also from settings.toml\n"
        "\n"
        "tests/test_other.py\n"
        "  settings.toml (modified)\n"
        "  └┄ tests/test_other.py\n"
    )


def test_no_change_is_said() -> None:
    expected = "Nothing has changed since main (0123456789): no scenario is affected.\n"
    assert render_text(report(is_asked=True)) == expected


def test_scenario_that_was_asked_about_and_is_not_affected_is_named() -> None:
    assert render_text(report(DOC, is_asked=True)).splitlines()[:4] == [
        "None of 2 scenarios is affected by 1 changed file since main (0123456789).",
        "",
        "tests/test_other.py is not affected: nothing that changed leads to it.",
        "tests/test_app.py is not affected: nothing that changed leads to it.",
    ]


def test_targets_of_one_file_are_told_apart() -> None:
    change = Change("tests/test_app.py", Status.UNTRACKED)
    scenarios = [Scenario("tests/test_app.py", f"tests/test_app.py@os={name}", "python_test") for name in ("a", "b")]
    explained = tuple(Explained(each, change, (each.address,), None, ()) for each in scenarios)
    rendered = render_text(Report(SINCE, (Reach(change, ()),), explained, tuple(scenarios)))
    assert rendered.splitlines()[2:] == [
        "tests/test_app.py",
        "  tests/test_app.py@os=a",
        "  tests/test_app.py (untracked)",
        "  └─ tests/test_app.py@os=a",
        "  tests/test_app.py@os=b",
        "  tests/test_app.py (untracked)",
        "  └─ tests/test_app.py@os=b",
    ]


def test_change_whose_targets_nobody_uses_names_some_of_them() -> None:
    lone = Reach(Change("lone/BUILD", Status.MODIFIED), ("lone:a", "lone:b", "lone:c", "lone:d"))
    line = "  lone/BUILD (modified): none of these scenarios depends on lone:a, lone:b, lone:c and 1 more"
    assert render_text(report(lone)).splitlines()[-1] == line


def test_many_other_changes_are_counted() -> None:
    change = Change("a", Status.MODIFIED)
    explained = Explained(SCENARIOS[0], change, ("a", SCENARIOS[0].address), None, tuple("bcdefgh"))
    rendered = render_text(Report(SINCE, (Reach(change, ("a",)),), (explained,), SCENARIOS))
    assert rendered.splitlines()[-1] == "  also from b, c, d, e, f and 2 more"


def test_names_cannot_steer_the_terminal() -> None:
    rendered = render_text(report(Reach(Change("a\x1b[2J\nb\u202e.py", Status.ADDED), ())))
    assert rendered.splitlines()[-1] == "  a\\x1b[2J\\nb\\u202e.py (added): no target owns it"
