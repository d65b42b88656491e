"""The manifest of a connector (docs/ABI.md §2), read from its file without running it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rapidbyte.errors import ConnectorInvalidError, ErrorInfo
from rapidbyte.model import JsonObject, Kind, SyncMode, WriteMode
from rapidbyte.wasm.abi import ABI_MAJOR, ABI_MINOR, MANIFEST_SECTION
from rapidbyte.wasm.config_schema import find_unknown_keywords
from rapidbyte.wasm.module_sections import custom_section, has_start_function


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a connector is, can do, and at most may use. Limits of None are no limits."""

    kind: Kind
    name: str
    version: str
    description: str
    sync_modes: tuple[SyncMode, ...]
    write_modes: tuple[WriteMode, ...]
    allowed_hosts: tuple[str, ...]
    allowed_vars: tuple[str, ...]
    allowed_preopens: tuple[str, ...]
    max_memory_bytes: int | None
    timeout_s: float | None
    config_schema: JsonObject


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False, frozen=True)  # a minor version may add keys


class _Capabilities(_Part):
    sync_modes: tuple[SyncMode, ...] = ()
    write_modes: tuple[WriteMode, ...] = ()


class _Network(_Part):
    allowed_hosts: tuple[str, ...] = ()


class _Environment(_Part):
    allowed_vars: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()


class _Filesystem(_Part):
    allowed_preopens: tuple[Annotated[str, Field(pattern=r"^/[^\x00]*$")], ...] = ()


class _Permissions(_Part):
    network: _Network = _Network()
    env: _Environment = _Environment()
    fs: _Filesystem = _Filesystem()


class _Limits(_Part):
    max_memory_bytes: int | None = Field(default=None, gt=0)
    timeout_seconds: float | None = Field(default=None, gt=0)


class _Document(_Part):
    abi: str = Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$")
    kind: Kind
    name: str = Field(min_length=1)
    version: str = Field(min_length=1)
    description: str = ""
    capabilities: _Capabilities = _Capabilities()
    permissions: _Permissions = _Permissions()
    limits: _Limits = _Limits()
    config_schema: dict[str, object]


def read_manifest(wasm: bytes) -> Manifest:
    """Read and check the manifest of a module.

    Raises ConnectorInvalidError for a file that is no connector, and with code `abi_version` for one of another ABI.
    """
    section = custom_section(wasm, MANIFEST_SECTION)
    if section is None:
        raise ConnectorInvalidError(
            f"The .wasm file is not a connector: it has no {MANIFEST_SECTION} section. Build it with the connector SDK."
        )
    if has_start_function(wasm):
        raise ConnectorInvalidError("A connector must not have a start function. Export _initialize in its place.")
    try:
        document = _Document.model_validate_json(section)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise ConnectorInvalidError(f"The connector's manifest is wrong: {problems}.") from error
    _require_version(document)
    unknown = find_unknown_keywords(document.config_schema)
    if unknown:
        raise ConnectorInvalidError(
            f"The connector's config_schema uses {', '.join(unknown)}, which this version of rapidbyte cannot check."
        )
    return Manifest(
        kind=document.kind,
        name=document.name,
        version=document.version,
        description=document.description,
        sync_modes=document.capabilities.sync_modes,
        write_modes=document.capabilities.write_modes,
        allowed_hosts=document.permissions.network.allowed_hosts,
        allowed_vars=document.permissions.env.allowed_vars,
        allowed_preopens=document.permissions.fs.allowed_preopens,
        max_memory_bytes=document.limits.max_memory_bytes,
        timeout_s=document.limits.timeout_seconds,
        config_schema=document.config_schema,
    )


def _require_version(document: _Document) -> None:
    major, minor = map(int, document.abi.split("."))
    if major != ABI_MAJOR or minor > ABI_MINOR:
        older = "connector" if major < ABI_MAJOR else "engine"
        raise ConnectorInvalidError(
            f"The connector {document.name} {document.version} speaks version {document.abi} of the connector ABI; "
            f"this rapidbyte speaks {ABI_MAJOR}.{ABI_MINOR}. Update the {older}.",
            ErrorInfo("abi_version"),
        )
