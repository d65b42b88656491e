"""What the backend of the page of tests adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from rapidbyte_pants.test_page import observer


def rules() -> Iterable[Rule | UnionRule]:
    return observer.rules()
