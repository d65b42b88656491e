"""What a source has: its tables as it describes them, the first of their rows, and what it keeps for a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column as its source describes it; `type` is the source's own name of the type."""

    name: str
    type: str
    nullable: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A table as its source describes it; estimates are None where the source has none.

    It can be cut into any ranges of 0 to `extent`, of about equal size each; None where it is read as a whole.
    `identity` tells its table from every other, in the source's own words.
    """

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    estimated_rows: int | None
    estimated_bytes: int | None
    extent: int | None = None
    identity: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a source offers."""

    streams: tuple[Stream, ...]


@dataclass(frozen=True, slots=True)
class StreamPreview:
    """The first rows of a stream as text, None for NULL; nothing of it was written."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str | None, ...], ...]


Detail = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Holding:
    """What a source keeps for a pipeline between its runs; only what `is_ours`, made for it, is ever dropped."""

    kind: str
    name: str
    is_ours: bool
    is_dropped: bool
    details: Mapping[str, Detail]
