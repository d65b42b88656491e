"""Hands a compiled connector to what depends on it, as a resource, and to `package`, as a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, OutputPathField, PackageFieldSet
from pants.core.target_types import ResourceSourceField
from pants.engine.fs import AddPrefix, CreateDigest, Digest, DigestEntries, FileEntry, Snapshot
from pants.engine.rules import Get, Rule, collect_rules, rule
from pants.engine.target import GeneratedSources, GenerateSourcesRequest
from pants.engine.unions import UnionRule

from rapidbyte_pants.rust.target_types import ConnectorSourcesField, ResourceDirectoryField
from rapidbyte_pants.rust.wasm_module import WasmModule, WasmModuleRequest


class GenerateWasmResource(GenerateSourcesRequest):
    input = ConnectorSourcesField
    output = ResourceSourceField


@dataclass(frozen=True)
class WasmPackageFieldSet(PackageFieldSet):
    required_fields = (ConnectorSourcesField,)

    sources: ConnectorSourcesField
    output_path: OutputPathField


@rule
async def generate_resource(request: GenerateWasmResource) -> GeneratedSources:
    target = request.protocol_target
    module = await Get(WasmModule, WasmModuleRequest(target.address))
    folder = target[ResourceDirectoryField].value
    assert folder is not None, "the field is required"
    return GeneratedSources(await Get(Snapshot, AddPrefix(module.digest, folder)))


@rule
async def package_module(field_set: WasmPackageFieldSet) -> BuiltPackage:
    module = await Get(WasmModule, WasmModuleRequest(field_set.address))
    output = field_set.output_path.value_or_default(file_ending="wasm")
    entries = await Get(DigestEntries, Digest, module.digest)
    files = [FileEntry(output, entry.file_digest) for entry in entries if isinstance(entry, FileEntry)]
    return BuiltPackage(await Get(Digest, CreateDigest(files)), (BuiltPackageArtifact(output),))


def rules() -> Iterable[Rule | UnionRule]:
    return (
        *collect_rules(),
        UnionRule(GenerateSourcesRequest, GenerateWasmResource),
        UnionRule(PackageFieldSet, WasmPackageFieldSet),
    )
