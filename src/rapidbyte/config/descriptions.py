"""What each key of a document is for, in a sentence or two: for editors, and for the reference in docs/PIPELINE.md.

A key of several sections, such as `use`, is described once, under the section that they share.
"""

from __future__ import annotations

from collections.abc import Mapping

# The name of the section's class, and of the key.
DESCRIPTIONS: Mapping[str, str] = {
    "Document.version": "The version of this format.",
    "Document.pipeline": "The pipeline's name. It identifies what the state and the destination remember of it: "
    "another name starts from the beginning.",
    "Document.source": "Where rows come from.",
    "Document.transforms": "What is done with rows on their way, in this order.",
    "Document.destination": "Where rows go to.",
    "Document.state": "Where runs, rejected rows and what connectors keep are recorded. Never the only copy of a "
    "cursor: that lives in the destination.",
    "Document.resources": "How much a run may use, and how it goes about it.",
    "Connector.use": "A connector that comes with rapidbyte, such as `postgres`, or the path of a `.wasm` file.",
    "Connector.config": "The connector's own settings, checked against its manifest before it starts.",
    "Connector.permissions": "What the connector may reach. It can only narrow what its manifest asks for.",
    "Connector.limits": "The most that the connector may use. It can only lower the limits of its manifest.",
    "PermissionsSection.network": "Hosts.",
    "PermissionsSection.env": "Environment variables.",
    "PermissionsSection.fs": "Directories.",
    "Network.allowed_hosts": "Host names or addresses, `*.example.com` for all names below one, `*` for all, or the "
    "paths of Unix sockets. `[]` allows none. Without the key, what the manifest asks for.",
    "Environment.allowed_vars": "Names of variables. `[]` allows none. Without the key, what the manifest asks for.",
    "Filesystem.allowed_preopens": "Absolute paths of directories, which can be read. `[]` allows none. Without the "
    "key, what the manifest asks for.",
    "LimitsSection.max_memory": "Memory of one instance. Without the key, the manifest's limit and "
    "`resources.max_memory` hold.",
    "LimitsSection.timeout_seconds": "How long a call may take, and how long a run may stand still.",
    "Source.streams": "The tables to move; each name once.",
    "StreamSection.name": "`table` or `schema.table`.",
    "StreamSection.sync_mode": "`full_refresh` reads the whole table, `incremental` what is new since the last run, "
    "`cdc` every change.",
    "StreamSection.cursor_field": "A column whose values grow with every new row. `incremental` needs it. It must be "
    "among `columns`.",
    "StreamSection.tie_breaker_field": "A second column that tells apart rows of the same cursor; not the cursor "
    "itself, and among `columns`.",
    "StreamSection.null_cursor": "What becomes of rows without a cursor, or with one that is infinite or NaN, which no "
    "later row could come after; for `incremental` only: the run fails, or they are left out.",
    "StreamSection.cursor_lag": "How far a run stays behind, for `incremental` only, so that rows which are committed "
    "late are not missed: seconds before the server's clock for dates and times, units below the greatest value for "
    "numbers.",
    "StreamSection.columns": "The columns to move, in this order; without the key, all. It must hold the primary key "
    "where `upsert` or `cdc` needs it.",
    "StreamSection.partition_key": "Taken for older documents, with `full_refresh` only, and without effect: large "
    "tables are cut by where their rows lie, which needs no key.",
    "StreamSection.primary_key": "The columns that identify a row, where they are not `destination.primary_key`.",
    "StreamSection.write_mode": "How this stream is written, where it is not `destination.write_mode`.",
    "Destination.write_mode": "`append` adds rows, `replace` puts them in the place of the old ones (with "
    "`full_refresh` only), `upsert` updates those with the same primary key.",
    "Destination.primary_key": "The columns that identify a row; without the key, the source's primary key. `upsert` "
    "needs one.",
    "Destination.on_data_error": "What a row that cannot be moved does: `fail` ends the run, `skip` leaves the row "
    "out, `dlq` keeps it for `rapidbyte dlq`.",
    "Destination.schema_evolution": "What happens when the source's table is no longer what the destination's was "
    "made from.",
    "SchemaEvolution.new_column": "The source has a column that the destination lacks.",
    "SchemaEvolution.removed_column": "The source lacks a column that the destination has.",
    "SchemaEvolution.type_change": "A column has another type: convert its values, fail, or write NULL where a value "
    "cannot be converted.",
    "SchemaEvolution.nullability_change": "A column has become nullable, or is no longer.",
    "State.backend": "What keeps the state: a file, or the schema `_rapidbyte_state` of a Postgres. Postgres needs "
    "its driver: `pip install 'rapidbyte[postgres]'`.",
    "State.connection": "The path of the file, by default one of the user's own; or the connection string of the "
    "Postgres, such as `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.",
    "State.max_dead_letters": "How many rejected rows of this pipeline may wait. When there are more, the run fails: "
    "none is ever dropped.",
    "ResourcesSection.parallelism": "How many streams, and parts of large tables, are moved at once. `auto` tries one "
    "more as long as that is faster.",
    "ResourcesSection.max_memory": "Memory of each connector, and of the batches that wait between them.",
    "ResourcesSection.max_batch_bytes": "The largest batch; not more than `max_memory`.",
    "ResourcesSection.max_inflight_batches": "How many batches may wait between two connectors.",
    "ResourcesSection.checkpoint_interval_bytes": "Commit after so many bytes; 0 is never.",
    "ResourcesSection.checkpoint_interval_rows": "Commit after so many rows; 0 is never.",
    "ResourcesSection.checkpoint_interval_seconds": "Commit after so many seconds; 0 is never.",
    "ResourcesSection.max_retries": "How often a stream, or the start of a run, is tried again after a failure that "
    "may pass.",
    "ResourcesSection.compression": "How batches are packed while they wait between two connectors.",
    "ResourcesSection.autotune": "Whether what is not pinned is chosen by measuring; `true` and `false` stand for "
    "`enabled`. It never changes what is moved.",
    "Autotune.enabled": "Whether to measure; without, `parallelism: auto` is the number of processors.",
    "Autotune.parallelism": "Pins `parallelism`, where that is `auto`.",
    "Autotune.partition_mode": "Taken for older documents, and without effect: tables are cut by where their rows lie.",
    "Autotune.flush_bytes": "Pins how many bytes a batch aims at, at most half of `max_batch_bytes`.",
}
