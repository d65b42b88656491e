"""What the ruff backend adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from rapidbyte_pants.ruff import rules as ruff_rules


def rules() -> Iterable[Rule | UnionRule]:
    return ruff_rules.rules()
