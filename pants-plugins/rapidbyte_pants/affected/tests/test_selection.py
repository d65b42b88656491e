"""Tests how the scenarios are found that a user asks about."""

from __future__ import annotations

import pytest

from rapidbyte_pants.affected.errors import UnknownScenarioError
from rapidbyte_pants.affected.model import Scenario
from rapidbyte_pants.affected.selection import select

APP = Scenario("tests/test_app.py", "tests/test_app.py", "python_test")
CRATE = Scenario("crates/sdk", "crates/sdk:crate", "rust_crate")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (["tests/test_app.py"], (APP,)),
        (["./tests/test_app.py"], (APP,)),
        (["crates/sdk:crate"], (CRATE,)),
        (["crates/sdk", "tests/test_app.py"], (APP, CRATE)),
    ],
)
def test_file_or_address_names_a_scenario(asked: list[str], found: tuple[Scenario, ...]) -> None:
    assert select(asked, (APP, CRATE)) == found


def test_unknown_scenarios_are_all_named_with_what_was_meant() -> None:
    with pytest.raises(UnknownScenarioError) as raised:
        select(["tests/test_ap.py", "zzz", "crates/sdk"], (APP, CRATE))
    assert str(raised.value).splitlines() == [
        "--affected-why=tests/test_ap.py: no scenario has this test file or address. Did you mean tests/test_app.py?",
        "--affected-why=zzz: no scenario has this test file or address. `./pants list ::` shows the targets there are.",
    ]
