"""The fixtures of the proofs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.scratch import Checkout, make_checkout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A copy all of whose tests have passed: a further run has nothing to do."""
    checkout = make_checkout(tmp_path_factory.mktemp("checkout"))
    passed = checkout.pants("test", "::")
    assert passed.code == 0, passed.stdout + passed.stderr
    yield checkout
    stop_daemon(checkout.folder)


def stop_daemon(folder: Path) -> None:
    """End the Pants daemon of a copy, which would outlive it for hours."""
    for file in (folder / ".pids").glob("*/pantsd/pid"):
        make_gone(int(file.read_text(encoding="ascii")))
