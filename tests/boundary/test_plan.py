"""Plans: a pipeline against the manifests of its connectors, before anything runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from boundary.wat_guests import build, manifest_of
from rapidbyte.engine.division import Parallelism
from rapidbyte.engine.plan import Plan, make_plan
from rapidbyte.errors import ConfigError, DocumentError
from rapidbyte.model import (
    KIB,
    MIB,
    ConnectorSpec,
    Limits,
    Permissions,
    Pipeline,
    Resources,
    StreamSpec,
    SyncMode,
    WriteMode,
)
from rapidbyte.wasm import ArtifactCache, Grants

_STREAM = StreamSpec("t", SyncMode.FULL_REFRESH, WriteMode.APPEND)
_SCHEMA = {"type": "object", "properties": {"port": {"type": "integer"}}}


def _pipeline(
    tmp_path: Path, source: Mapping[str, object] | None = None, destination: Mapping[str, object] | None = None
) -> Pipeline:
    """Return a pipeline whose connectors have these manifests."""
    for name, manifest in (
        ("source", source or manifest_of()),
        ("destination", destination or manifest_of("destination")),
    ):
        (tmp_path / f"{name}.wasm").write_bytes(build(manifest=manifest))
    return Pipeline(
        name="p",
        source=ConnectorSpec(str(tmp_path / "source.wasm"), {}),
        destination=ConnectorSpec(str(tmp_path / "destination.wasm"), {}),
        streams=(_STREAM,),
    )


def _plan(tmp_path: Path, pipeline: Pipeline) -> Plan:
    return make_plan(pipeline, ArtifactCache(tmp_path / "aot"))


def test_limits_are_the_least_of_manifest_pipeline_and_resources(tmp_path: Path) -> None:
    pipeline = _pipeline(
        tmp_path,
        manifest_of(limits={"max_memory_bytes": 100 * MIB, "timeout_seconds": 20}),
        manifest_of("destination", limits={"max_memory_bytes": 500 * MIB}),
    )
    pipeline = replace(
        pipeline,
        source=replace(pipeline.source, limits=Limits(max_memory_bytes=200 * MIB, timeout_s=30)),
        destination=replace(pipeline.destination, limits=Limits(timeout_s=40)),
        resources=Resources(max_memory_bytes=300 * MIB),
    )
    plan = _plan(tmp_path, pipeline)
    assert (plan.source.max_memory_bytes, plan.source.timeout_s) == (100 * MIB, 20)
    assert (plan.destination.max_memory_bytes, plan.destination.timeout_s) == (300 * MIB, 40)


@pytest.mark.parametrize(
    ("manifest_hosts", "pipeline_hosts", "allowed"),
    [
        (["*"], None, ["a.x", "b.y"]),
        (["*.x"], None, ["a.x"]),
        (["*"], ("b.y",), ["b.y"]),
        (["*.x"], ("b.y",), []),
        (["*"], (), []),
    ],
)
def test_permissions_only_ever_narrow(
    tmp_path: Path, manifest_hosts: list[str], pipeline_hosts: tuple[str, ...] | None, allowed: list[str]
) -> None:
    pipeline = _pipeline(tmp_path, manifest_of(permissions={"network": {"allowed_hosts": manifest_hosts}}))
    source = replace(pipeline.source, permissions=Permissions(allowed_hosts=pipeline_hosts))
    rules = _plan(tmp_path, replace(pipeline, source=source)).source.rules
    assert [host for host in ("a.x", "b.y") if rules.allows(host)] == allowed


def test_environment_and_disk_only_ever_narrow(tmp_path: Path) -> None:
    asked = {"env": {"allowed_vars": ["A", "B"]}, "fs": {"allowed_preopens": ["/srv", "/opt"]}}
    pipeline = _pipeline(tmp_path, manifest_of(permissions=asked))
    for permissions, granted in (
        (Permissions(), Grants(("A", "B"), ("/srv", "/opt"))),
        (Permissions(allowed_vars=("B", "C"), allowed_preopens=("/srv/data", "/etc")), Grants(("B",), ("/srv/data",))),
        (Permissions(allowed_vars=(), allowed_preopens=()), Grants()),
    ):
        source = replace(pipeline.source, permissions=permissions)
        assert _plan(tmp_path, replace(pipeline, source=source)).source.grants == granted
    wide = Permissions(allowed_vars=("A",), allowed_preopens=("/srv",))
    destination = replace(pipeline.destination, permissions=wide)
    assert _plan(tmp_path, replace(pipeline, destination=destination)).destination.grants == Grants()


def test_a_bad_host_pattern_is_named(tmp_path: Path) -> None:
    pipeline = _pipeline(tmp_path)
    source = replace(pipeline.source, permissions=Permissions(allowed_hosts=("db:5432",)))
    with pytest.raises(ConfigError, match="'db:5432': write the host only, without a port"):
        _plan(tmp_path, replace(pipeline, source=source))


def test_transforms_are_planned_in_order_and_what_does_not_fit_them_is_told(tmp_path: Path) -> None:
    for name, kind in (("first", "transform"), ("second", "transform"), ("wrong", "source")):
        manifest = manifest_of(kind, name=name, config_schema=_SCHEMA, limits={"timeout_seconds": 7})
        (tmp_path / f"{name}.wasm").write_bytes(build(manifest=manifest))
    first, second, wrong = (ConnectorSpec(str(tmp_path / f"{name}.wasm"), {}) for name in ("first", "second", "wrong"))
    pipeline = replace(_pipeline(tmp_path), transforms=(first, replace(second, limits=Limits(timeout_s=3))))
    planned = _plan(tmp_path, pipeline).transforms
    assert [(transform.name, transform.timeout_s) for transform in planned] == [
        ("transform first (transforms[0])", 7),
        ("transform second (transforms[1])", 3),
    ]
    with pytest.raises(DocumentError) as caught:
        _plan(tmp_path, replace(pipeline, transforms=(replace(first, config={"port": "x"}), wrong)))
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("transforms[0].config.port", "it is string, not integer"),
        ("transforms[1].use", f"{tmp_path}/wrong.wasm is a source, not a transform"),
    ]


def test_everything_that_does_not_fit_is_told_together(tmp_path: Path) -> None:
    pipeline = _pipeline(
        tmp_path,
        manifest_of(capabilities={"sync_modes": ["incremental"]}, config_schema=_SCHEMA),
        manifest_of("destination", capabilities={}, config_schema=_SCHEMA),
    )
    pipeline = replace(
        pipeline,
        source=replace(pipeline.source, config={"port": "x"}),
        destination=replace(pipeline.destination, config={"port": None}),
    )
    with pytest.raises(DocumentError) as caught:
        _plan(tmp_path, pipeline)
    assert [(problem.path, problem.message) for problem in caught.value.problems] == [
        ("source.config.port", "it is string, not integer"),
        ("destination.config.port", "it is null, not integer"),
        ("source.streams[0].sync_mode", "the source test cannot do full_refresh; it can do incremental"),
        ("source.streams[0].write_mode", "the destination test cannot do append; it can do none"),
    ]


@pytest.mark.parametrize(
    ("resources", "processors", "expected"),
    [
        (Resources(parallelism=3), 2, Parallelism(3, 2, is_measured=False)),
        (Resources(parallelism=1), 2, Parallelism(1, 2, is_measured=False)),
        (Resources(), 2, Parallelism(3, 2, is_measured=True)),
        (Resources(), None, Parallelism(2, 1, is_measured=True)),
        (Resources(), 64, Parallelism(8, 64, is_measured=True)),
        (Resources(is_tuned=False), 2, Parallelism(2, 2, is_measured=False)),
    ],
)
def test_lanes_are_as_many_as_asked_for_or_as_the_processors_allow(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    resources: Resources,
    processors: int | None,
    expected: Parallelism,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: processors)
    assert _plan(tmp_path, replace(_pipeline(tmp_path), resources=resources)).parallelism == expected


def test_batches_aim_at_what_is_pinned_and_fit_their_frames(tmp_path: Path) -> None:
    for flush_bytes, expected in ((None, 4 * MIB), (MIB, MIB), (32 * MIB, 8 * MIB)):
        resources = Resources(flush_bytes=flush_bytes, max_batch_bytes=16 * MIB)
        assert _plan(tmp_path, replace(_pipeline(tmp_path), resources=resources)).batch_bytes == expected


def test_the_lanes_share_the_memory_for_waiting_batches(tmp_path: Path) -> None:
    pipeline = replace(
        _pipeline(tmp_path),
        streams=(_STREAM, replace(_STREAM, name="u")),
        resources=Resources(parallelism=2, max_memory_bytes=16 * MIB, max_batch_bytes=512 * KIB),
    )
    plan = _plan(tmp_path, pipeline)
    assert (plan.queue_bytes, plan.batch_bytes, plan.source.max_frame_bytes) == (MIB, 256 * KIB, 512 * KIB)
    (tmp_path / "transform.wasm").write_bytes(build(manifest=manifest_of("transform")))
    transform = ConnectorSpec(str(tmp_path / "transform.wasm"), {})
    assert _plan(tmp_path, replace(pipeline, transforms=(transform,))).queue_bytes == MIB // 2
