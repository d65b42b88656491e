"""`rapidbyte schema`: print the JSON Schema of pipeline documents, with the configs of the connectors there are."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rapidbyte.cli.arguments import Options
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.config import document_schema
from rapidbyte.engine.connectors import known_connectors, read_connector
from rapidbyte.model import JsonObject, Kind
from rapidbyte.wasm import read_manifest


def execute(options: Options, output: Output, _: Signals) -> ExitCode:
    """Write the schema. Raises ConnectorInvalidError for a built-in connector that is damaged."""
    del options
    output.result(json.dumps(document_schema({kind: _configs(kind) for kind in Kind}), ensure_ascii=False, indent=2))
    return ExitCode.OK


def _configs(kind: Kind) -> Mapping[str, JsonObject]:
    return {name: read_manifest(read_connector(name, kind)).config_schema for name in known_connectors(kind)}
