"""Tests that a pipeline document depends on the connectors it uses."""

from __future__ import annotations

import pytest
from pants.engine.addresses import Address
from pants.engine.target import InferredDependencies
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.pipelines import dependency_inference
from rapidbyte_pants.pipelines.dependency_inference import InferPipelineDependencies, PipelineInferenceFieldSet
from rapidbyte_pants.pipelines.target_types import PipelinesTarget, PipelineTarget
from rapidbyte_pants.pipelines.uses import connector_packages
from rapidbyte_pants.rust import workspace
from rapidbyte_pants.rust.target_types import CargoWorkspaceTarget, RustCrateTarget, WasmConnectorTarget

FULL = b"""
source: {use: postgres}
transforms: [{use: sql}, {use: guests/upper.wasm}]
destination: {use: postgres}
"""


@pytest.mark.parametrize(
    ("content", "packages"),
    [
        (FULL, {"source_postgres", "transform_sql", "upper", "dest_postgres"}),
        (b"source: {use: mysql}\ndestination: {}\n", {"source_mysql"}),
        (b"source: {use: 5}\ndestination: [7]\n", set()),
        (b"source: {use: postgres\n", set()),
        (b"", set()),
    ],
)
def test_packages_that_a_document_names(content: bytes, packages: set[str]) -> None:
    assert connector_packages(content) == packages


@pytest.fixture
def runner() -> RuleRunner:
    return RuleRunner(
        rules=[
            *dependency_inference.rules(),
            *workspace.rules(),
            QueryRule(InferredDependencies, [InferPipelineDependencies]),
        ],
        target_types=[CargoWorkspaceTarget, PipelinesTarget, PipelineTarget, RustCrateTarget, WasmConnectorTarget],
    )


def test_only_connectors_that_exist_are_inferred(runner: RuleRunner) -> None:
    runner.write_files(
        {
            "connectors/source_postgres/BUILD": "wasm_connector(resource_dir='src')",
            "connectors/source_postgres/Cargo.toml": '[package]\nname = "source_postgres"\n',
            # A crate that is no connector is none by its name alone.
            "connectors/sdk/BUILD": "rust_crate()",
            "connectors/sdk/Cargo.toml": '[package]\nname = "dest_postgres"\n',
            "fixtures/BUILD": "pipelines()",
            "fixtures/a.yaml": "source: {use: postgres}\ndestination: {use: postgres}\n",
        }
    )
    target = runner.get_target(Address("fixtures", relative_file_path="a.yaml"))
    request = InferPipelineDependencies(PipelineInferenceFieldSet.create(target))
    found = runner.request(InferredDependencies, [request])
    assert list(found.include) == [Address("connectors/source_postgres")]
