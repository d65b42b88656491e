"""What the backend that explains changes adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule

from rapidbyte_pants.affected import goal


def rules() -> Iterable[Rule]:
    return goal.rules()
