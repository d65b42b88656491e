"""What the linters of the build add to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.unions import UnionRule

from rapidbyte_pants.hygiene import unowned_files, unused_fixtures, written, written_dependencies


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *written.rules(),
        *unowned_files.rules(),
        *unused_fixtures.rules(),
        *written_dependencies.rules(),
    )
