"""From a valid document to the model."""

from __future__ import annotations

from rapidbyte.config.document import Connector, Document, LimitsSection, PermissionsSection, ResourcesSection
from rapidbyte.config.document import SchemaEvolution as SchemaEvolutionSection
from rapidbyte.config.document import State as StateSection
from rapidbyte.model import (
    CheckpointInterval,
    ConnectorSpec,
    DataErrorPolicy,
    Limits,
    NewColumn,
    NullabilityChange,
    NullCursor,
    Permissions,
    Pipeline,
    RemovedColumn,
    Resources,
    SchemaEvolution,
    StateSpec,
    StreamSpec,
    TypeChange,
)


def build(document: Document) -> Pipeline:
    """Return the pipeline of `document`."""
    return Pipeline(
        name=document.pipeline,
        source=_connector(document.source),
        transforms=tuple(_connector(transform) for transform in document.transforms),
        destination=_connector(document.destination),
        streams=tuple(
            StreamSpec(
                name=stream.name,
                sync_mode=stream.sync_mode,
                write_mode=stream.write_mode or document.destination.write_mode,
                columns=_tuple(stream.columns),
                cursor_field=stream.cursor_field,
                tie_breaker_field=stream.tie_breaker_field,
                null_cursor=NullCursor(stream.null_cursor),
                cursor_lag=stream.cursor_lag,
                primary_key=_tuple(stream.primary_key or document.destination.primary_key),
                on_data_error=DataErrorPolicy(document.destination.on_data_error),
                schema_evolution=_schema_evolution(document.destination.schema_evolution),
            )
            for stream in document.source.streams
        ),
        resources=_resources(document.resources),
        state=_state(document.state),
    )


def _schema_evolution(section: SchemaEvolutionSection) -> SchemaEvolution:
    return SchemaEvolution(
        new_column=NewColumn(section.new_column),
        removed_column=RemovedColumn(section.removed_column),
        type_change=TypeChange(section.type_change),
        nullability_change=NullabilityChange(section.nullability_change),
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
        parallelism=section.parallelism or section.autotune.parallelism,
        max_memory_bytes=section.max_memory,
        max_batch_bytes=section.max_batch_bytes,
        max_inflight_batches=section.max_inflight_batches,
        compression=section.compression,
        checkpoint=CheckpointInterval(
            section.checkpoint_interval_rows, section.checkpoint_interval_bytes, section.checkpoint_interval_seconds
        ),
        max_retries=section.max_retries,
        is_tuned=section.autotune.enabled,
        flush_bytes=section.autotune.flush_bytes,
    )


def _state(section: StateSection) -> StateSpec:
    return StateSpec(section.backend, section.connection, section.max_dead_letters)


def _tuple(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
