"""Rows of text as Arrow messages, each column with the type that the destination reads the text as (docs/ABI.md §9)."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from rapidbyte.model import Column


def frames_of_rows(columns: Sequence[Column], rows: Sequence[Sequence[str | None]]) -> tuple[bytes, bytes]:
    """Return a schema message and a batch message of these rows."""
    fields = [
        pa.field(column.name, pa.string(), metadata={"rapidbyte.type": column.type, "rapidbyte.form": "text"})
        for column in columns
    ]
    schema = pa.schema(fields)
    arrays = [pa.array([row[place] for row in rows], pa.string()) for place in range(len(columns))]
    batch = pa.RecordBatch.from_arrays(arrays, schema=schema)
    return schema.serialize().to_pybytes(), batch.serialize().to_pybytes()
