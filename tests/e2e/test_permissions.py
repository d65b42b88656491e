"""What a pipeline allows its connectors: hosts, memory and time, for each kind of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import rapidbyte
from harness.fix_pipelines import RunPipeline
from harness.fix_schemas import Seed
from harness.fix_tables import Ask
from rapidbyte.errors import ConnectorCrashError, DocumentError, PermissionDeniedError

_PIPELINE = "fixtures/pipelines/permissions.yaml"
_KINDS = ("SOURCE", "TRANSFORM", "DESTINATION")


@pytest.fixture(autouse=True)
def people(seeded: Seed) -> None:
    """Seven rows that keep the one rule of the pipeline."""
    seeded("fixtures/sql/people.sql")


def _copied(ask: Ask) -> bool:
    return ask("SELECT to_regclass('{d}.people') IS NOT NULL") == [(True,)]


@pytest.mark.parametrize("hosts", ["[{host}]", "['*']", "[elsewhere.example.com, {host}]"])
def test_host_that_is_allowed_is_reached(
    ask: Ask, run_pipeline: RunPipeline, variables: Mapping[str, str], hosts: str
) -> None:
    allowed = hosts.format(host=variables["PGHOST"])
    run_pipeline(_PIPELINE, SOURCE_HOSTS=allowed, DESTINATION_HOSTS=allowed, TRANSFORM_HOSTS=allowed)
    assert ask("SELECT * FROM {d}.people ORDER BY id, email") == ask("SELECT * FROM {s}.people ORDER BY id, email")


@pytest.mark.parametrize("hosts", ["[elsewhere.example.com]", "['*.example.com']", "[]"])
@pytest.mark.parametrize("kind", ["SOURCE", "DESTINATION"])
def test_host_that_is_not_allowed_is_named_by_check_and_by_a_run(
    ask: Ask, run_pipeline: RunPipeline, variables: Mapping[str, str], kind: str, hosts: str
) -> None:
    chosen = {f"{kind}_HOSTS": hosts}
    with pytest.raises(PermissionDeniedError) as checked:
        rapidbyte.check_pipeline(Path(_PIPELINE), env={**variables, **chosen})
    with pytest.raises(PermissionDeniedError) as caught:
        run_pipeline(_PIPELINE, **chosen)
    for error in (checked.value, caught.value):
        assert error.code == "host_denied"
        assert variables["PGHOST"] in error.message
        assert ("connector", f"{kind.lower()} postgres") in error.info.details
    assert not _copied(ask)


@pytest.mark.parametrize("kind", _KINDS)
def test_memory_of_64_kb_is_too_little_for_any_connector(ask: Ask, run_pipeline: RunPipeline, kind: str) -> None:
    with pytest.raises(ConnectorCrashError) as caught:
        run_pipeline(_PIPELINE, **{f"{kind}_MEMORY": "64kb"})
    assert caught.value.code == "memory_limit"
    assert "limits.max_memory" in caught.value.message
    assert not _copied(ask)


@pytest.mark.parametrize(
    ("variable", "value", "key", "why"),
    [
        ("HOSTS", "['db.example.com:5432']", "permissions.network.allowed_hosts[0]", "without a port"),
        ("MEMORY", "12xb", "limits.max_memory", "is not a size"),
        ("TIMEOUT", "0", "limits.timeout_seconds", "must be more than 0"),
    ],
)
@pytest.mark.parametrize("kind", _KINDS)
def test_what_cannot_be_meant_is_refused_by_check(
    variables: Mapping[str, str], kind: str, variable: str, value: str, key: str, why: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        rapidbyte.check_pipeline(Path(_PIPELINE), env={**variables, f"{kind}_{variable}": value})
    (told,) = caught.value.problems
    assert told.path == f"{'transforms[0]' if kind == 'TRANSFORM' else kind.lower()}.{key}"
    assert why in told.message
    assert told.line is not None
