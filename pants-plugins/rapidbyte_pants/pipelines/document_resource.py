"""Hands pipeline documents to code as resources beside it, wherever the documents are."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pants.core.target_types import FileSourceField, ResourceSourceField
from pants.core.util_rules import source_files
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.addresses import UnparsedAddressInputs
from pants.engine.fs import CreateDigest, Digest, DigestEntries, FileEntry, Snapshot
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import GeneratedSources, GenerateSourcesRequest, SourcesField, Targets
from pants.engine.unions import UnionRule

from rapidbyte_pants.pipelines.target_types import AdoptedDocumentsField, ResourceFolderField


class GenerateDocumentResource(GenerateSourcesRequest):
    input = ResourceFolderField
    output = ResourceSourceField


@rule
async def generate_resource(request: GenerateDocumentResource) -> GeneratedSources:
    target = request.protocol_target
    adopted = await Get(Targets, UnparsedAddressInputs, target[AdoptedDocumentsField].to_unparsed_address_inputs())
    documents = await Get(
        SourceFiles,
        SourceFilesRequest([document.get(SourcesField) for document in adopted], for_sources_types=(FileSourceField,)),
    )
    entries = await Get(DigestEntries, Digest, documents.snapshot.digest)
    files = [
        FileEntry(os.path.join(target.address.spec_path, os.path.basename(entry.path)), entry.file_digest)
        for entry in entries
        if isinstance(entry, FileEntry)
    ]
    return GeneratedSources(await Get(Snapshot, CreateDigest(files)))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        *source_files.rules(),
        UnionRule(GenerateSourcesRequest, GenerateDocumentResource),
    )
