"""The numbers of the ABI are the same on both sides of it."""

from __future__ import annotations

import re
from enum import IntEnum
from pathlib import Path

import pytest

from rapidbyte.net import Interest
from rapidbyte.wasm.abi import MAX_REJECTION_BYTES, UNREADABLE_FRAME_CODES, Level, Status

_RUST = Path("connectors/sdk/src/abi_numbers.rs")
_RUST_BATCHES = Path("connectors/sdk/src/batch.rs")
_DOCUMENT = Path("docs/ABI.md")


def _rust_enum(name: str) -> dict[str, int]:
    body = re.search(rf"pub enum {name} {{(.*?)}}", _RUST.read_text(encoding="utf-8"), re.DOTALL)
    assert body is not None
    return {item: int(number) for item, number in re.findall(r"(\w+) = (-?\d+),", body[1])}


def _camel(member: IntEnum) -> str:
    return "".join(word.capitalize() for word in member.name.split("_"))


@pytest.mark.parametrize("kind", [Status, Level])
def test_rust_has_the_same_names_and_numbers(kind: type[IntEnum]) -> None:
    assert _rust_enum(kind.__name__) == {_camel(member): member.value for member in kind}


def test_rust_has_the_same_interest_bits() -> None:
    text = _RUST.read_text(encoding="utf-8")
    bits = {name: int(bit) for name, bit in re.findall(r"const (READABLE|WRITABLE): u32 = (\d+);", text)}
    assert bits == {"READABLE": Interest.READABLE, "WRITABLE": Interest.WRITABLE}


def test_rust_cuts_rejected_rows_to_what_the_host_takes() -> None:
    found = re.search(r"const MAX_REJECTION_BYTES: usize = (\d+) \* 1024 \* 1024;", _RUST.read_text(encoding="utf-8"))
    assert found is not None
    assert int(found[1]) * 1024 * 1024 == MAX_REJECTION_BYTES


def test_rust_tells_frames_that_cannot_be_read_by_the_codes_that_the_host_knows() -> None:
    codes = re.findall(r'Category::Frame, "(\w+)"', _RUST_BATCHES.read_text(encoding="utf-8"))
    assert set(codes) == UNREADABLE_FRAME_CODES


def test_the_document_lists_every_status_with_its_number() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (-?\d+) \|", _DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name: int(number) for name, number in rows} == {status.name: status.value for status in Status}
