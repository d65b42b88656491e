"""Sizes of a document: each way to write one gives its bytes, and nothing else is taken for one."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from rapidbyte.config import load
from rapidbyte.errors import DocumentError
from rapidbyte.model import KIB, MIB
from unit.config.documents import minimal

_UNITS = {"": 1, "kb": KIB, "mb": MIB, "gb": 1024 * MIB}
_SIZE = re.compile(r"\s*[0-9]{1,15}\s*([kmg]b)?\s*", re.IGNORECASE | re.ASCII)
_space = st.sampled_from(["", " ", "\t"])


def interval_of(size: object) -> int:
    return load(minimal(resources={"checkpoint_interval_bytes": size})).resources.checkpoint.size_bytes


@given(
    count=st.integers(0, 1000),
    unit=st.sampled_from(sorted(_UNITS)),
    spaces=st.tuples(_space, _space, _space),
    is_upper=st.lists(st.booleans(), min_size=2, max_size=2),
)
def test_a_size_is_its_number_times_its_unit(
    count: int, unit: str, spaces: tuple[str, str, str], is_upper: list[bool]
) -> None:
    letters = "".join(letter.upper() if up else letter for letter, up in zip(unit, is_upper, strict=False))
    before, between, after = spaces
    assert interval_of(f"{before}{count}{between}{letters}{after}") == count * _UNITS[unit]
    assert interval_of(count) == count


@given(text=st.text(max_size=12) | st.from_regex(r"[0-9. ]{0,4}[kmgtibKMGTIB]{0,3}", fullmatch=True))
def test_what_is_no_size_is_refused(text: str) -> None:
    try:
        interval_of(text)
    except DocumentError:
        return
    assert _SIZE.fullmatch(text)
