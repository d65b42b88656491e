"""What the backend of outside services adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from rapidbyte_pants.outside_services import rules as service_rules


def rules() -> Iterable[Rule | UnionRule]:
    return service_rules.rules()
