"""A pipeline made ready: its connectors compiled and checked against it, its budgets fixed. Nothing runs yet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rapidbyte.engine.connectors import read_connector
from rapidbyte.engine.division import Parallelism
from rapidbyte.engine.retry import RetryPolicy
from rapidbyte.errors import DocumentError, Problem
from rapidbyte.model import (
    MIB,
    CheckpointInterval,
    Compression,
    ConnectorSpec,
    JsonObject,
    Kind,
    Pipeline,
    Resources,
    StreamSpec,
    SyncMode,
)
from rapidbyte.net import HostRules
from rapidbyte.wasm import Artifact, ArtifactCache, Grants, Manifest, find_config_problems

_BATCH_ROWS = 16_384
_BATCH_BYTES = 4 * MIB
_QUEUE_BYTES = 8 * MIB
_QUEUE_SHARE = 8  # of resources.max_memory, for the batches that wait
_MAX_LANES = 8


@dataclass(frozen=True, slots=True)
class GuestPlan:
    """One connector of a run: its code, its config, and what it may use. `name` is such as `source postgres`."""

    name: str
    artifact: Artifact
    config: JsonObject
    rules: HostRules
    grants: Grants
    timeout_s: float
    max_memory_bytes: int
    max_frame_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A run: chains of connectors share the streams, with queues of at most these frames and bytes between."""

    pipeline: str
    source: GuestPlan
    transforms: tuple[GuestPlan, ...]
    destination: GuestPlan
    streams: tuple[StreamSpec, ...]
    parallelism: Parallelism
    queue_frames: int
    queue_bytes: int
    batch_rows: int
    batch_bytes: int
    compression: Compression
    checkpoint: CheckpointInterval
    retries: RetryPolicy

    def sender_to(self, place: int) -> str:
        """Return the name of the connector that feeds the transform at `place`, or after the last, the destination."""
        return (self.source, *self.transforms)[place].name


def make_plan(pipeline: Pipeline, artifacts: ArtifactCache) -> Plan:
    """Find, compile and check the connectors of a pipeline.

    Raises ConnectorNotFoundError, ConnectorInvalidError, ConfigError for bad host patterns, and DocumentError with
    everything that does not fit the connectors' manifests.
    """
    source = artifacts.get(read_connector(pipeline.source.use, Kind.SOURCE))
    destination = artifacts.get(read_connector(pipeline.destination.use, Kind.DESTINATION))
    transforms = [artifacts.get(read_connector(spec.use, Kind.TRANSFORM)) for spec in pipeline.transforms]
    problems = (
        *_misfits("source", pipeline.source, source.manifest, Kind.SOURCE),
        *_transform_misfits(pipeline, transforms),
        *_misfits("destination", pipeline.destination, destination.manifest, Kind.DESTINATION),
        *_unsupported(pipeline, source.manifest, destination.manifest),
    )
    if problems:
        raise DocumentError(f"pipeline {pipeline.name}", problems)
    resources = pipeline.resources
    parallelism = _parallelism(resources)
    return Plan(
        pipeline=pipeline.name,
        source=_guest_plan(pipeline, pipeline.source, source),
        transforms=_transform_plans(pipeline, transforms),
        destination=_guest_plan(pipeline, pipeline.destination, destination),
        streams=pipeline.streams,
        parallelism=parallelism,
        queue_frames=resources.max_inflight_batches,
        queue_bytes=min(_QUEUE_BYTES, resources.max_memory_bytes // _QUEUE_SHARE)
        // (parallelism.lanes * (len(transforms) + 1)),
        batch_rows=_BATCH_ROWS,
        # A frame is larger than the rows it was cut from.
        batch_bytes=min(resources.flush_bytes or _BATCH_BYTES, resources.max_batch_bytes // 2),
        compression=resources.compression,
        checkpoint=resources.checkpoint,
        retries=RetryPolicy(resources.max_retries),
    )


def _parallelism(resources: Resources) -> Parallelism:
    """Return how many lanes there may be; one more than processors, since a lane also waits for disks and networks."""
    processors = os.cpu_count() or 1
    is_measured = resources.parallelism is None and resources.is_tuned
    lanes = resources.parallelism or min(processors + is_measured, _MAX_LANES)
    return Parallelism(lanes, processors, is_measured)


def groups_of(streams: tuple[StreamSpec, ...]) -> tuple[tuple[int, ...], ...]:
    """Return which streams are moved together: those of changes first, and each of the others alone."""
    captured = tuple(index for index, spec in enumerate(streams) if spec.sync_mode is SyncMode.CDC)
    alone = tuple((index,) for index in range(len(streams)) if index not in captured)
    return (captured, *alone) if captured else alone


def plan_source(pipeline: Pipeline, artifacts: ArtifactCache) -> GuestPlan:
    """Make only the source of a pipeline ready. Raises what `make_plan` does."""
    source = artifacts.get(read_connector(pipeline.source.use, Kind.SOURCE))
    problems = tuple(_misfits("source", pipeline.source, source.manifest, Kind.SOURCE))
    if problems:
        raise DocumentError(f"pipeline {pipeline.name}", problems)
    return _guest_plan(pipeline, pipeline.source, source)


def _misfits(place: str, spec: ConnectorSpec, manifest: Manifest, kind: Kind) -> Iterator[Problem]:
    if manifest.kind is not kind:
        yield Problem(f"{place}.use", f"{spec.use} is a {manifest.kind.value}, not a {kind.value}")
        return
    for path, problem in find_config_problems(manifest.config_schema, dict(spec.config)):
        yield Problem(f"{place}.config{'.' if path else ''}{path}", problem)


def _transform_misfits(pipeline: Pipeline, transforms: Sequence[Artifact]) -> Iterator[Problem]:
    for index, (spec, artifact) in enumerate(zip(pipeline.transforms, transforms, strict=True)):
        yield from _misfits(f"transforms[{index}]", spec, artifact.manifest, Kind.TRANSFORM)


def _transform_plans(pipeline: Pipeline, transforms: Sequence[Artifact]) -> tuple[GuestPlan, ...]:
    plans = [_guest_plan(pipeline, *pair) for pair in zip(pipeline.transforms, transforms, strict=True)]
    if len(plans) < 2:
        return tuple(plans)
    return tuple(replace(plan, name=f"{plan.name} (transforms[{index}])") for index, plan in enumerate(plans))


def _unsupported(pipeline: Pipeline, source: Manifest, destination: Manifest) -> Iterator[Problem]:
    for position, stream in enumerate(pipeline.streams):
        if stream.sync_mode not in source.sync_modes:
            able = ", ".join(mode.value for mode in source.sync_modes)
            yield Problem(
                f"source.streams[{position}].sync_mode",
                f"the source {source.name} cannot do {stream.sync_mode.value}; it can do {able or 'none'}",
            )
        if stream.write_mode not in destination.write_modes:
            able = ", ".join(mode.value for mode in destination.write_modes)
            yield Problem(
                f"source.streams[{position}].write_mode",
                f"the destination {destination.name} cannot do {stream.write_mode.value}; it can do {able or 'none'}",
            )


def _guest_plan(pipeline: Pipeline, spec: ConnectorSpec, artifact: Artifact) -> GuestPlan:
    manifest = artifact.manifest
    rules = HostRules.of(manifest.allowed_hosts)
    if spec.permissions.allowed_hosts is not None:
        rules = rules.narrowed(HostRules.of(spec.permissions.allowed_hosts))
    memory_limits = (manifest.max_memory_bytes, spec.limits.max_memory_bytes, pipeline.resources.max_memory_bytes)
    return GuestPlan(
        name=f"{manifest.kind.value} {manifest.name}",
        artifact=artifact,
        config=spec.config,
        rules=rules,
        grants=Grants(manifest.allowed_vars, manifest.allowed_preopens).narrowed(
            spec.permissions.allowed_vars, spec.permissions.allowed_preopens
        ),
        timeout_s=min(limit for limit in (manifest.timeout_s, spec.limits.timeout_s) if limit is not None),
        max_memory_bytes=min(limit for limit in memory_limits if limit is not None),
        max_frame_bytes=pipeline.resources.max_batch_bytes,
    )
