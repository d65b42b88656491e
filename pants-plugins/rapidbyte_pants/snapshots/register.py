"""What the backend of snapshots adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from rapidbyte_pants.snapshots import dependency_inference, orphaned_snapshots


def rules() -> Iterable[Rule | UnionRule]:
    return (*dependency_inference.rules(), *orphaned_snapshots.rules())
