"""Tests where a document is found that is handed to code as a resource."""

from __future__ import annotations

from pants.core.target_types import FileTarget, ResourceSourceField
from pants.core.util_rules import stripped_source_files
from pants.core.util_rules.source_files import SourceFilesRequest
from pants.core.util_rules.stripped_source_files import StrippedSourceFiles
from pants.engine.addresses import Address
from pants.engine.fs import DigestContents
from pants.engine.target import SourcesField
from pants.testutil.rule_runner import QueryRule, RuleRunner

from rapidbyte_pants.pipelines import document_resource
from rapidbyte_pants.pipelines.target_types import PipelineResourceTarget


def test_document_is_beside_the_code_below_the_source_root() -> None:
    runner = RuleRunner(
        rules=[
            *document_resource.rules(),
            *stripped_source_files.rules(),
            QueryRule(StrippedSourceFiles, [SourceFilesRequest]),
        ],
        target_types=[FileTarget, PipelineResourceTarget],
    )
    runner.set_options(["--source-root-patterns=['/src']"])
    runner.write_files(
        {
            "fixtures/BUILD": "file(name='a', source='a.yaml')",
            "fixtures/a.yaml": "version: 1\n",
            "src/app/demo/BUILD": "pipeline_resource(name='pipeline', documents=['fixtures:a'])",
        }
    )
    target = runner.get_target(Address("src/app/demo", target_name="pipeline"))
    request = SourceFilesRequest([target[SourcesField]], for_sources_types=(ResourceSourceField,), enable_codegen=True)
    stripped = runner.request(StrippedSourceFiles, [request])
    (file,) = runner.request(DigestContents, [stripped.snapshot.digest])
    assert (file.path, file.content) == ("app/demo/a.yaml", b"version: 1\n")
