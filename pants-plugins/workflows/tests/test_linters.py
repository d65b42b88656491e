"""Tests that a workflow with a mistake, or with what is unsafe, fails `lint`."""

from __future__ import annotations

from pants.engine.addresses import Address
from pants.testutil.rule_runner import RuleRunner

from workflows.rules import WorkflowFieldSet
from workflows.target_types import WorkflowsTarget


def test_linters_look_at_every_workflow_of_a_folder() -> None:
    runner = RuleRunner(target_types=[WorkflowsTarget])
    runner.write_files({"ci/BUILD": "workflows()", "ci/a.yml": "", "ci/README.md": ""})
    target = runner.get_target(Address("ci"))
    assert WorkflowFieldSet.is_applicable(target)
    assert target[WorkflowFieldSet.required_fields[0]].globs == ("*.yml",)
