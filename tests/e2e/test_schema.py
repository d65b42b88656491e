"""`rapidbyte schema` with the real connectors: its verdict on every pipeline of the fixtures, as it is written."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from harness.cli import Cli

_WRONG = {"fixtures/pipelines/typo.yaml": ["destination.write_mode", "source", "source"]}


def test_schema_finds_what_is_wrong_in_every_fixture(cli: Cli) -> None:
    ended = cli.run("schema")
    assert (ended.code, ended.stderr) == (0, "")
    validator = Draft202012Validator(json.loads(ended.stdout))
    found = {
        str(path): sorted(
            ".".join(map(str, error.absolute_path))
            for error in validator.iter_errors(yaml.safe_load(path.read_text(encoding="utf-8")))
        )
        for path in Path("fixtures/pipelines").glob("*.yaml")
    }
    assert Path("fixtures/pipelines/full_refresh.yaml") in map(Path, found)
    assert {path: problems for path, problems in found.items() if problems} == _WRONG


def test_schema_knows_the_configs_of_the_connectors(cli: Cli) -> None:
    validator = Draft202012Validator(json.loads(cli.run("schema", "--json").stdout))
    document = yaml.safe_load(Path("fixtures/pipelines/full_refresh.yaml").read_text(encoding="utf-8"))
    document["source"]["config"]["prot"] = 5432
    document["destination"]["config"]["load_method"] = "paste"
    places = sorted(".".join(map(str, error.absolute_path)) for error in validator.iter_errors(document))
    assert places == ["destination.config.load_method", "source.config"]
