"""Manifests are read from the file alone, whatever the file is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rapidbyte.errors import ConnectorInvalidError
from rapidbyte.model import Kind, SyncMode
from rapidbyte.wasm.manifest import Manifest, read_manifest

_DOCUMENT = {"abi": "1.0", "kind": "source", "name": "n", "version": "0.1", "config_schema": {"type": "object"}}
_PREAMBLE = b"\0asm\x01\0\0\0"


def _module(document: bytes, name: bytes = b"rapidbyte.manifest") -> bytes:
    payload = bytes([len(name)]) + name + document
    size = len(payload)
    return _PREAMBLE + b"\0" + bytes([size & 0x7F | 0x80, size >> 7]) + payload


def test_absent_parts_are_the_narrowest() -> None:
    assert read_manifest(_module(json.dumps(_DOCUMENT).encode())) == Manifest(
        kind=Kind.SOURCE,
        name="n",
        version="0.1",
        description="",
        sync_modes=(),
        write_modes=(),
        allowed_hosts=(),
        allowed_vars=(),
        allowed_preopens=(),
        max_memory_bytes=None,
        timeout_s=None,
        config_schema={"type": "object"},
    )


@pytest.mark.parametrize(
    "permissions",
    [
        {"env": {"allowed_vars": ["A=B"]}},
        {"env": {"allowed_vars": [""]}},
        {"fs": {"allowed_preopens": ["data"]}},
        {"fs": {"allowed_preopens": ["/data\0"]}},
    ],
)
def test_names_that_cannot_be_granted_are_refused(permissions: dict[str, object]) -> None:
    with pytest.raises(ConnectorInvalidError, match="permissions"):
        read_manifest(_module(json.dumps(_DOCUMENT | {"permissions": permissions}).encode()))


def test_keys_of_a_later_minor_version_are_ignored() -> None:
    document = _DOCUMENT | {"later": 1, "capabilities": {"sync_modes": ["full_refresh"], "later": True}}
    assert read_manifest(_module(json.dumps(document).encode())).sync_modes == (SyncMode.FULL_REFRESH,)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"abi": "1"}, "abi"),
        ({"abi": "1.0.0"}, "abi"),
        ({"kind": "pump"}, "kind"),
        ({"name": ""}, "name"),
        ({"limits": {"timeout_seconds": 0}}, "limits.timeout_seconds"),
        ({"capabilities": {"sync_modes": ["sometimes"]}}, "capabilities.sync_modes.0"),
        ({"config_schema": None}, "config_schema"),
    ],
)
def test_a_wrong_part_is_named(changes: dict[str, object], named: str) -> None:
    with pytest.raises(ConnectorInvalidError) as caught:
        read_manifest(_module(json.dumps(_DOCUMENT | changes).encode()))
    assert f" {named}: " in caught.value.message


def test_another_section_is_no_manifest() -> None:
    with pytest.raises(ConnectorInvalidError, match=r"no rapidbyte\.manifest section"):
        read_manifest(_module(b"{}", b"producers"))


@settings(deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_any_file_is_a_manifest_or_a_typed_error(content: bytes, has_preamble: bool) -> None:
    with pytest.raises(ConnectorInvalidError):
        read_manifest((_PREAMBLE if has_preamble else b"") + content)
