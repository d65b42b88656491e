"""Tests for which documents a target is proposed."""

from __future__ import annotations

import pytest
from pants.core.goals import tailor as core_tailor
from pants.core.goals.tailor import PutativeTargets
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.pipelines import tailor
from rapidbyte_pants.pipelines.tailor import PutativePipelineTargetsRequest
from rapidbyte_pants.pipelines.target_types import PipelinesTarget, PipelineTarget

_PIPELINE = "source: {use: postgres}\ndestination: {use: postgres}\n"


@pytest.fixture
def runner() -> RuleRunner:
    runner = RuleRunner(
        rules=[
            *core_tailor.rules(),
            *tailor.rules(),
            QueryRule(PutativeTargets, [PutativePipelineTargetsRequest]),
        ],
        target_types=[PipelinesTarget, PipelineTarget],
    )
    runner.write_files(
        {
            "fixtures/pipelines/a.yaml": _PIPELINE,
            "fixtures/pipelines/b.yaml": _PIPELINE,
            "fixtures/pipelines/values.yaml": "a: 1\n",
            "owned/pipelines/a.yaml": _PIPELINE,
            "owned/pipelines/BUILD": "pipelines()",
            "deploy/pipelines/values.yaml": "a: 1\n",
            "src/app/a.yaml": _PIPELINE,
        }
    )
    return runner


def _proposed(runner: RuleRunner) -> list[tuple[str, str, tuple[str, ...]]]:
    dirs = ("fixtures/pipelines", "owned/pipelines", "deploy/pipelines", "src/app")
    found = runner.request(PutativeTargets, [PutativePipelineTargetsRequest(dirs)])
    return [(target.address.spec, target.type_alias, target.triggering_sources) for target in found]


def test_pipelines_below_the_globs_get_a_target(runner: RuleRunner) -> None:
    assert _proposed(runner) == [("fixtures/pipelines:pipelines", "pipelines", ("a.yaml", "b.yaml"))]


def test_globs_are_an_option(runner: RuleRunner) -> None:
    runner.set_options(["--pipeline-documents-tailor-globs=['src/**/*.yaml']"])
    assert _proposed(runner) == [("src/app:app", "pipelines", ("a.yaml",))]
    runner.set_options(["--pipeline-documents-tailor-globs=[]"])
    assert _proposed(runner) == []
