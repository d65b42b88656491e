"""What the backend of plugin tests adds to Pants."""

from __future__ import annotations

from collections.abc import Iterable

from pants.engine.rules import Rule
from pants.engine.target import Target
from pants.engine.unions import UnionRule

from plugin_tests import rules as test_rules
from plugin_tests.target_types import PluginTestsTarget, PluginTestTarget


def target_types() -> Iterable[type[Target]]:
    return (PluginTestTarget, PluginTestsTarget)


def rules() -> Iterable[Rule | UnionRule]:
    return test_rules.rules()
