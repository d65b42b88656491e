"""Metadata of frames is read strictly: nothing a guest writes gets past it half understood."""

from __future__ import annotations

import pytest

from rapidbyte.errors import FrameError
from rapidbyte.frames import Durable, FrameKind, FrameMetadata


@pytest.mark.parametrize("kind", list(FrameKind))
def test_what_is_written_is_read(kind: FrameKind) -> None:
    metadata = FrameMetadata(stream=3, kind=kind, rows=2**40, size_bytes=17)
    assert FrameMetadata.parse(metadata.to_json()) == metadata


@pytest.mark.parametrize("kind", [FrameKind.BATCH, FrameKind.END])
def test_position_travels_as_it_is(kind: FrameKind) -> None:
    metadata = FrameMetadata(0, kind, 1, 8, {"value": 'größe " \\', "digests": ["0a"], "more": {"deep": None}})
    assert FrameMetadata.parse(metadata.to_json()) == metadata


def test_what_a_transform_filtered_travels_beside_its_rows() -> None:
    metadata = FrameMetadata(0, FrameKind.BATCH, 1, 8, {"at": 1}, filtered=3)
    assert metadata.to_json() == b'{"stream":0,"kind":"batch","rows":1,"bytes":8,"position":{"at": 1},"filtered":3}'
    assert FrameMetadata.parse(metadata.to_json()) == metadata


def test_a_checkpoint_is_read() -> None:
    assert Durable.parse(b'{"stream": 1, "rows": 2, "bytes": 3}') == Durable(1, 2, 3)
    with_position = b'{"stream": 1, "rows": 2, "bytes": 3, "position": {"lsn": "0/1"}}'
    assert Durable.parse(with_position) == Durable(1, 2, 3, {"lsn": "0/1"})


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 100_000,
        b'{"stream":0,"kind":"batch","rows":1}',
        b'{"stream":0,"kind":"batch","rows":1,"bytes":1,"more":1}',
        b'{"stream":0,"kind":"other","rows":1,"bytes":1}',
        b'{"stream":0,"kind":["batch"],"rows":1,"bytes":1}',
        b'{"stream":-1,"kind":"batch","rows":1,"bytes":1}',
        b'{"stream":0,"kind":"batch","rows":1.0,"bytes":1}',
        b'{"stream":0,"kind":"batch","rows":true,"bytes":1}',
        b'{"stream":0,"kind":"batch","rows":9223372036854775808,"bytes":1}',
        b'{"stream":0,"kind":"batch","rows":null,"bytes":1}',
        b'{"stream":0,"kind":"batch","rows":1,"bytes":1,"position":"7"}',
        b'{"stream":0,"kind":"batch","rows":1,"bytes":1,"position":[]}',
        b'{"stream":0,"kind":"schema","rows":0,"bytes":0,"position":{}}',
        b'{"stream":0,"kind":"batch","rows":1,"bytes":1,"filtered":-1}',
        b'{"stream":0,"kind":"batch","rows":1,"bytes":1,"filtered":null}',
    ],
)
def test_anything_else_is_an_invalid_argument(document: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        FrameMetadata.parse(document)
    assert caught.value.code == "invalid_argument"


@pytest.mark.parametrize("position", [b'"7"', b"[]", b"1"])
def test_position_of_a_checkpoint_is_an_object(position: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        Durable.parse(b'{"stream":0,"rows":0,"bytes":0,"position":' + position + b"}")
    assert caught.value.code == "invalid_argument"
