"""The fixtures of the proofs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.scratch import Checkout, copied_checkout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of the checkout, with the caches of whoever runs the proofs."""
    with copied_checkout(tmp_path_factory.mktemp("checkout")) as checkout:
        yield checkout


@pytest.fixture(scope="session")
def passed_checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy of its own, all of whose tests have passed: another run has nothing to do.

    Its Python tests are collected and not carried out: what is to be proved is which of their processes run.
    """
    with copied_checkout(tmp_path_factory.mktemp("passed")) as checkout:
        checkout.edit("pyproject.toml", "addopts = [", 'addopts = ["--collect-only", ')
        checkout.git("commit", "--quiet", "--all", "--message=tests are only collected")
        for _ in range(2):
            outcome = checkout.pants("test", "::")
            assert outcome.code == 0, outcome.text
        assert outcome.ran == frozenset()
        yield checkout


@pytest.fixture(scope="session")
def built_wheel(checkout: Checkout) -> Path:
    """The wheel of the copy."""
    outcome = checkout.pants("package", "src/rapidbyte:wheel")
    assert outcome.code == 0, outcome.text
    (wheel,) = (checkout.folder / "dist").glob("rapidbyte-*.whl")
    return wheel
