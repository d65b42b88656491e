"""Tests where a document is found that is handed to code as a resource."""

from __future__ import annotations

from pants.core.target_types import ResourceSourceField
from pants.core.util_rules import source_files, stripped_source_files
from pants.core.util_rules.source_files import SourceFilesRequest
from pants.core.util_rules.stripped_source_files import StrippedSourceFiles
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents
from pants.engine.target import SourcesField
from pants.testutil.rule_runner import QueryRule, RuleRunner

from pipelines import document_resource
from pipelines.target_types import PipelineResourceTarget


def test_document_is_beside_the_code_below_the_source_root() -> None:
    runner = RuleRunner(
        rules=[
            *document_resource.rules(),
            *source_files.rules(),
            *stripped_source_files.rules(),
            QueryRule(StrippedSourceFiles, [SourceFilesRequest]),
        ],
        target_types=[PipelineResourceTarget],
    )
    runner.set_options(["--source-root-patterns=['/src']"])
    runner.write_files(
        {
            "fixtures/BUILD": "pipeline_resource(name='a', source='a.yaml', resource_dir='src/app/demo')",
            "fixtures/a.yaml": "version: 1\n",
        }
    )
    target = runner.get_target(Address("fixtures", target_name="a"))
    request = SourceFilesRequest([target[SourcesField]], for_sources_types=(ResourceSourceField,), enable_codegen=True)
    stripped = runner.request(StrippedSourceFiles, [request])
    (file,) = runner.request(DigestContents, [stripped.snapshot.digest])
    assert (file.path, file.content) == ("app/demo/a.yaml", b"version: 1\n")
