"""Hands a compiled connector to what depends on it, as a resource, and to `package`, as a file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pants.core.goals.package import BuiltPackage, BuiltPackageArtifact, OutputPathField, PackageFieldSet
from pants.core.target_types import ResourceSourceField
from pants.engine.addresses import Addresses, UnparsedAddressInputs
from pants.engine.fs import AddPrefix, CreateDigest, Digest, DigestEntries, FileEntry, MergeDigests, Snapshot
from pants.engine.rules import Get, MultiGet, Rule, collect_rules, rule
from pants.engine.target import GeneratedSources, GenerateSourcesRequest
from pants.engine.unions import UnionRule

from rapidbyte_pants.rust.target_types import (
    ConnectorSourcesField,
    PublishedConnectorsField,
    PublishedModulesField,
    ResourceDirectoryField,
    WasmProfileField,
)
from rapidbyte_pants.rust.wasm_module import WasmModule, WasmModuleRequest


class GenerateWasmResource(GenerateSourcesRequest):
    input = ConnectorSourcesField
    output = ResourceSourceField


class GeneratePublishedModules(GenerateSourcesRequest):
    input = PublishedModulesField
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
async def generate_published_modules(request: GeneratePublishedModules) -> GeneratedSources:
    target = request.protocol_target
    connectors = await Get(
        Addresses, UnparsedAddressInputs, target[PublishedConnectorsField].to_unparsed_address_inputs()
    )
    profile = target[WasmProfileField].value
    modules = await MultiGet(Get(WasmModule, WasmModuleRequest(address, profile)) for address in connectors)
    digest = await Get(Digest, MergeDigests([module.digest for module in modules]))
    return GeneratedSources(await Get(Snapshot, AddPrefix(digest, target.address.spec_path)))


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
        UnionRule(GenerateSourcesRequest, GeneratePublishedModules),
        UnionRule(PackageFieldSet, WasmPackageFieldSet),
    )
