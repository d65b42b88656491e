"""What the backend of workflows adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from workflows import rules as lint_rules
from workflows.target_types import WorkflowsTarget


def target_types() -> Iterable[type[Target]]:
    return (WorkflowsTarget,)


def rules() -> Iterable[Rule | UnionRule]:
    return lint_rules.rules()
