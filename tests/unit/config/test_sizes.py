"""Sizes as people write them."""

from __future__ import annotations

import pytest

from rapidbyte.config import parse_size


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("0", 0), ("7", 7), ("1kb", 1024), ("1KB", 1024), ("64mb", 67_108_864), (" 2 Gb ", 2_147_483_648)],
)
def test_size_is_read(text: str, size_bytes: int) -> None:
    assert parse_size(text) == size_bytes


@pytest.mark.parametrize("text", ["", "kb", "1.5mb", "-1", "1tb", "1 k b", "1b", "٣mb", "1e3", "0x10"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; write a whole number with kb, mb or gb, such as 64mb"):
        parse_size(text)


def test_size_beyond_any_machine_is_refused() -> None:
    assert parse_size("8589934591gb") == 8_589_934_591 * 1024**3
    with pytest.raises(ValueError, match="is larger than any machine"):
        parse_size("8589934592gb")
