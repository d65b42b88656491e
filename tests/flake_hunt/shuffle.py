"""A plugin of pytest: the tests of a run in an order of their own, which a seed decides."""

from __future__ import annotations

import random

import pytest

OPTION = "--shuffle-seed"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --shuffle-seed."""
    parser.addoption(OPTION, required=True, help="what decides the order of the tests")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle the tests, whatever order they have been given for fixtures that several of them share."""
    random.Random(config.getoption(OPTION)).shuffle(items)
