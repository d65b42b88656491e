"""Frames: buffers of the host that carry batches from one connector to the next."""

from rapidbyte.frames.buffers import Buffer, BufferPool
from rapidbyte.frames.compress import Codec, codec_of
from rapidbyte.frames.metadata import Durable, FrameKind, FrameMetadata
from rapidbyte.frames.queue import FrameQueue, QueueAbortedError
from rapidbyte.frames.rejection import Rejection
from rapidbyte.frames.table import FrameLimits, FrameTable

__all__ = [
    "Buffer",
    "BufferPool",
    "Codec",
    "Durable",
    "FrameKind",
    "FrameLimits",
    "FrameMetadata",
    "FrameQueue",
    "FrameTable",
    "QueueAbortedError",
    "Rejection",
    "codec_of",
]
