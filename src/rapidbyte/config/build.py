"""From a valid document to the model."""

from __future__ import annotations

from rapidbyte.config.document import Connector, Document, LimitsSection, PermissionsSection, ResourcesSection
from rapidbyte.config.document import State as StateSection
from rapidbyte.model import ConnectorSpec, Limits, Permissions, Pipeline, Resources, StateSpec, StreamSpec


def build(document: Document) -> Pipeline:
    """Return the pipeline of `document`."""
    return Pipeline(
        name=document.pipeline,
        source=_connector(document.source),
        destination=_connector(document.destination),
        streams=tuple(
            StreamSpec(
                name=stream.name,
                sync_mode=stream.sync_mode,
                write_mode=stream.write_mode or document.destination.write_mode,
                columns=None if stream.columns is None else tuple(stream.columns),
            )
            for stream in document.source.streams
        ),
        resources=_resources(document.resources),
        state=_state(document.state),
    )


def _connector(section: Connector) -> ConnectorSpec:
    return ConnectorSpec(
        use=section.use,
        config=section.config,
        permissions=_permissions(section.permissions),
        limits=_limits(section.limits),
    )


def _permissions(section: PermissionsSection) -> Permissions:
    return Permissions(
        allowed_hosts=_tuple(section.network.allowed_hosts),
        allowed_vars=_tuple(section.env.allowed_vars),
        allowed_preopens=_tuple(section.fs.allowed_preopens),
    )


def _limits(section: LimitsSection) -> Limits:
    return Limits(max_memory_bytes=section.max_memory, timeout_s=section.timeout_seconds)


def _resources(section: ResourcesSection) -> Resources:
    return Resources(
        parallelism=section.parallelism,
        max_memory_bytes=section.max_memory,
        max_batch_bytes=section.max_batch_bytes,
        max_inflight_batches=section.max_inflight_batches,
        compression=section.compression,
    )


def _state(section: StateSection) -> StateSpec:
    return StateSpec(section.backend, section.connection, section.max_dead_letters)


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
