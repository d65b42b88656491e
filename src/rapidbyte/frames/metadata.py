"""What travels beside a frame: its stream, its kind, and what it counts (docs/ABI.md §6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from rapidbyte.errors import ErrorInfo, FrameError

_MOST = 2**63 - 1


class FrameKind(Enum):
    """The part a frame plays in its stream."""

    SCHEMA = "schema"
    BATCH = "batch"
    END = "end"


_KINDS: Mapping[str, FrameKind] = {kind.value: kind for kind in FrameKind}
_KEYS = frozenset(("stream", "kind", "rows", "bytes"))
_DURABLE_KEYS = _KEYS - {"kind"}
_POSITION = "position"
_FILTERED = "filtered"
_SOURCE = "source"


@dataclass(frozen=True, slots=True)
class FrameMetadata:
    """`rows` and `size_bytes` of a batch, or their sums in an end frame; bytes are payload as the source read it.

    `position` is where the source can go on once all up to here is durable, in its own words, or None. `filtered` is
    how many rows a transform has left out since the frame before, or in an end frame the sum of them. `source` is what
    a stream of changes is from this schema on, or None.
    """

    stream: int
    kind: FrameKind
    rows: int
    size_bytes: int
    position: Mapping[str, Any] | None = None
    filtered: int = 0
    source: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """Read the JSON that a guest passed. Raises FrameError with code `invalid_argument`."""
        values = _object(document, _KEYS, _POSITION, _FILTERED, _SOURCE)
        kind = _KINDS.get(str(values["kind"]))
        if kind is None:
            raise FrameError(
                f"The metadata of a frame has the unknown kind {values['kind']!r}. Use schema, batch or end.",
                ErrorInfo("invalid_argument"),
            )
        position = values.get(_POSITION)
        if position is not None and (not isinstance(position, dict) or kind is FrameKind.SCHEMA):
            raise FrameError(
                "A frame has a position that is no object, or is a schema, which has none.",
                ErrorInfo("invalid_argument"),
            )
        source = values.get(_SOURCE)
        if source is not None and (not isinstance(source, dict) or kind is not FrameKind.SCHEMA):
            raise FrameError(
                "A frame has a source that is no object, or is no schema, which alone has one.",
                ErrorInfo("invalid_argument"),
            )
        filtered = _count(values, _FILTERED) if _FILTERED in values else 0
        counts = (_count(values, "rows"), _count(values, "bytes"))
        return cls(_count(values, "stream"), kind, *counts, position, filtered, source)

    def to_json(self) -> bytes:
        """Write what `parse` reads."""
        position = "" if self.position is None else f',"{_POSITION}":{json.dumps(self.position)}'
        filtered = f',"{_FILTERED}":{self.filtered}' if self.filtered else ""
        source = "" if self.source is None else f',"{_SOURCE}":{json.dumps(self.source)}'
        return (
            f'{{"stream":{self.stream},"kind":"{self.kind.value}","rows":{self.rows},"bytes":{self.size_bytes}'
            f"{position}{filtered}{source}}}"
        ).encode("ascii")


@dataclass(frozen=True, slots=True)
class Durable:
    """A destination's word that the first `rows` rows of a stream, `size_bytes` of payload, are committed.

    `position` is that of the receipt which was committed with them, or None.
    """

    stream: int
    rows: int
    size_bytes: int
    position: Mapping[str, Any] | None = None

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """Read the JSON that a guest passed. Raises FrameError with code `invalid_argument`."""
        values = _object(document, _DURABLE_KEYS, _POSITION)
        position = values.get(_POSITION)
        if position is not None and not isinstance(position, dict):
            raise FrameError("A checkpoint has a position that is no object.", ErrorInfo("invalid_argument"))
        return cls(_count(values, "stream"), _count(values, "rows"), _count(values, "bytes"), position)


def _object(document: bytes, keys: frozenset[str], *optional: str) -> Mapping[str, Any]:
    try:
        values = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise FrameError("A guest passed metadata that is not JSON.", ErrorInfo("invalid_argument")) from error
    if not isinstance(values, dict) or values.keys() - set(optional) != keys:
        raise FrameError(
            f"A guest passed metadata that is not an object of exactly {', '.join(sorted(keys))}.",
            ErrorInfo("invalid_argument"),
        )
    return values


def _count(values: Mapping[str, object], key: str) -> int:
    value = values[key]
    if type(value) is not int or not 0 <= value <= _MOST:
        raise FrameError(
            f"The metadata of a frame has {key} = {value!r}. It must be a whole number of at least 0.",
            ErrorInfo("invalid_argument"),
        )
    return value
