"""Reading what a host must know of a WebAssembly binary before it compiles it: sections, no code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rapidbyte.errors import ConnectorInvalidError

_PREAMBLE = b"\0asm\x01\0\0\0"
_CUSTOM = 0
_START = 8


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its id, and a view of its payload, without id and size; that of the code may be very large."""

    identity: int
    payload: memoryview


def custom_section(wasm: bytes, name: str) -> bytes | None:
    """Return the content of the first custom section called `name`. Raises ConnectorInvalidError for broken files."""
    wanted = name.encode("utf-8")
    for section in _sections(wasm):
        if section.identity == _CUSTOM:
            length, position = _unsigned(section.payload, 0)
            if section.payload[position : position + length] == wanted:
                return bytes(section.payload[position + length :])
    return None


def has_start_function(wasm: bytes) -> bool:
    """Whether code would run while the module is instantiated, before anything can interrupt it."""
    return any(section.identity == _START for section in _sections(wasm))


def _sections(wasm: bytes) -> Iterator[Section]:
    if not wasm.startswith(_PREAMBLE):
        raise ConnectorInvalidError("The file is not a WebAssembly module. Give the path of a connector's .wasm file.")
    view = memoryview(wasm)
    position = len(_PREAMBLE)
    while position < len(wasm):
        identity = wasm[position]
        size, start = _unsigned(wasm, position + 1)
        position = start + size
        if position > len(wasm):
            raise _truncated()
        yield Section(identity, view[start:position])


def _unsigned(data: bytes | memoryview, position: int) -> tuple[int, int]:
    """Decode an unsigned LEB128 of at most 32 bits; return it and where it ends."""
    value = 0
    for shift in range(0, 35, 7):
        if position >= len(data):
            raise _truncated()
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise _truncated()


def _truncated() -> ConnectorInvalidError:
    return ConnectorInvalidError("The connector's .wasm file is damaged. Build or download it again.")
