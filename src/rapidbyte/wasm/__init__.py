"""The WebAssembly host: the only package that imports wasmtime. One instance is one connector at work."""

from rapidbyte.wasm.abi import UNREADABLE_FRAME_CODES, Call, Level
from rapidbyte.wasm.artifact import Artifact, ArtifactCache
from rapidbyte.wasm.config_schema import find_config_problems
from rapidbyte.wasm.grants import NO_GRANTS, Grants
from rapidbyte.wasm.instance import Instance, InstanceSetup, InstanceUsage
from rapidbyte.wasm.manifest import Manifest, read_manifest
from rapidbyte.wasm.ports import NO_STATE, Inlet, Outlet, Port, Relay, StatePort
from rapidbyte.wasm.state_names import StateName
from rapidbyte.wasm.watchdog import Watchdog

__all__ = [
    "NO_GRANTS",
    "NO_STATE",
    "UNREADABLE_FRAME_CODES",
    "Artifact",
    "ArtifactCache",
    "Call",
    "Grants",
    "Inlet",
    "Instance",
    "InstanceSetup",
    "InstanceUsage",
    "Level",
    "Manifest",
    "Outlet",
    "Port",
    "Relay",
    "StateName",
    "StatePort",
    "Watchdog",
    "find_config_problems",
    "read_manifest",
]
