"""Packing of batches while they wait between two stages; guests never see it.

Both codecs work without the interpreter lock, on the thread that emits and on the one that receives.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cramjam

from rapidbyte.errors import ErrorInfo, FrameError
from rapidbyte.frames.buffers import Buffer, BufferPool
from rapidbyte.model import Compression

_ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Codec:
    """A way of packing: `pack` from one view into another giving the size, `unpack` likewise, its `bound`."""

    pack: Callable[[memoryview, memoryview], int]
    unpack: Callable[[memoryview, memoryview], int]
    bound: Callable[[int], int]

    def packed(self, buffer: Buffer, pool: BufferPool) -> Buffer:
        """Return a buffer of `pool` with the packed content; `buffer` stays with the caller."""
        target = pool.acquire(self.bound(buffer.length))
        target.length = self.pack(buffer.content(), target.room())
        return target

    def unpacked(self, buffer: Buffer, size_bytes: int, pool: BufferPool) -> Buffer:
        """Return a buffer of `pool` with the `size_bytes` that were packed; `buffer` stays with the caller."""
        target = pool.acquire(size_bytes)
        target.length = self.unpack(buffer.content(), target.room()[:size_bytes])
        if target.length != size_bytes:
            raise FrameError(
                f"A packed batch of {size_bytes} bytes came out as {target.length} bytes.", ErrorInfo("corrupt")
            )
        return target


def codec_of(compression: Compression) -> Codec | None:
    """Return the codec of a pipeline's choice; None passes batches on as they are."""
    return _CODECS[compression]


def _pack_lz4(source: memoryview, target: memoryview) -> int:
    return int(cramjam.lz4.compress_block_into(source, target, store_size=False))


def _unpack_lz4(source: memoryview, target: memoryview) -> int:
    return int(cramjam.lz4.decompress_block_into(source, target, output_len=len(target)))


def _pack_zstd(source: memoryview, target: memoryview) -> int:
    return int(cramjam.zstd.compress_into(source, target, level=_ZSTD_LEVEL))


def _unpack_zstd(source: memoryview, target: memoryview) -> int:
    return int(cramjam.zstd.decompress_into(source, target))


def _lz4_bound(size_bytes: int) -> int:
    return size_bytes + size_bytes // 255 + 16  # LZ4_COMPRESSBOUND


def _zstd_bound(size_bytes: int) -> int:
    return size_bytes + size_bytes // 256 + 1024  # ZSTD_COMPRESSBOUND and room for the stream's own headers


_CODECS = {
    Compression.NONE: None,
    Compression.LZ4: Codec(_pack_lz4, _unpack_lz4, _lz4_bound),
    Compression.ZSTD: Codec(_pack_zstd, _unpack_zstd, _zstd_bound),
}
