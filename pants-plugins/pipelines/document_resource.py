"""Hands a pipeline document to what depends on it as a resource, beside code that is somewhere else."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pants.core.target_types import ResourceSourceField
from pants.engine.fs import CreateDigest, Digest, DigestEntries, FileEntry, Snapshot
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import GeneratedSources, GenerateSourcesRequest
from pants.engine.unions import UnionRule

from pipelines.target_types import ResourceDirectoryField, ResourceDocumentField


class GenerateDocumentResource(GenerateSourcesRequest):
    input = ResourceDocumentField
    output = ResourceSourceField


@rule
async def generate_resource(request: GenerateDocumentResource) -> GeneratedSources:
    folder = request.protocol_target[ResourceDirectoryField].value
    assert folder is not None, "the field is required"
    entries = await Get(DigestEntries, Digest, request.protocol_sources.digest)
    files = [
        FileEntry(os.path.join(folder, os.path.basename(entry.path)), entry.file_digest)
        for entry in entries
        if isinstance(entry, FileEntry)
    ]
    return GeneratedSources(await Get(Snapshot, CreateDigest(files)))


def rules() -> Iterable[Rule | UnionRule]:
    return (*collect_rules(), UnionRule(GenerateSourcesRequest, GenerateDocumentResource))
