"""A rejected row is read strictly."""

from __future__ import annotations

import json

import pytest

from rapidbyte.errors import Category, FrameError
from rapidbyte.frames import Rejection

_VALUES = {
    "stream": 2,
    "category": "data",
    "code": "23502",
    "reasons": ["No NULL.", "Too old."],
    "row": {"id": "1", "name": None},
}
_WRONG: list[dict[str, object]] = [
    {"stream": -1},
    {"stream": True},
    {"stream": "0"},
    {"category": "nothing"},
    {"category": None},
    {"code": 1},
    {"reasons": None},
    {"reasons": []},
    {"reasons": ["a", 1]},
    {"reason": "b"},
    {"row": []},
    {"row": {"id": 1}},
    {"more": 1},
    {"unreadable": "id"},
    {"unreadable": [1]},
    {"place": -1},
    {"place": True},
]


def test_a_rejection_is_read() -> None:
    expected = Rejection(2, Category.DATA, "23502", ("No NULL.", "Too old."), {"id": "1", "name": None})
    assert Rejection.parse(json.dumps(_VALUES).encode()) == expected


def test_what_cannot_be_read_and_where_the_row_came_may_be_told() -> None:
    told = Rejection.parse(json.dumps(_VALUES | {"unreadable": ["id"], "place": 3}).encode())
    assert (told.unreadable, told.place) == (("id",), 3)


def test_a_single_reason_may_stand_alone() -> None:
    old = {key: value for key, value in _VALUES.items() if key != "reasons"} | {"reason": "No NULL."}
    assert Rejection.parse(json.dumps(old).encode()).reasons == ("No NULL.",)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"\xff",
        b"[]",
        b"[" * 100_000,
        *[json.dumps(_VALUES | change).encode() for change in _WRONG],
        *[json.dumps({key: value for key, value in _VALUES.items() if key != left}).encode() for left in _VALUES],
    ],
)
def test_anything_else_is_an_invalid_argument(document: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        Rejection.parse(document)
    assert caught.value.code == "invalid_argument"
