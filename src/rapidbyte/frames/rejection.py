"""A row that a connector cannot move, with the reason (docs/ABI.md §6)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from rapidbyte.errors import Category, ErrorInfo, FrameError

_TEXTS = ("category", "code")
_KEYS = frozenset(("stream", "row", *_TEXTS))
_OPTIONAL_KEYS = frozenset(("unreadable", "place"))
_REASON, _REASONS = "reason", "reasons"  # one reason, as before version 1.2 of the ABI, or all of them


@dataclass(frozen=True, slots=True)
class Rejection:
    """One row of a stream by its columns, as text where it is not NULL, and all reasons why it was rejected.

    `unreadable` names columns whose value is missing in it, was cut, or is there for people only. `place` is which of
    the rows that the guest received in this run it is, from 0 on; None where the guest does not tell.
    """

    stream: int
    category: Category
    code: str
    reasons: tuple[str, ...]
    row: Mapping[str, str | None]
    unreadable: tuple[str, ...] = ()
    place: int | None = None

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """Read the JSON that a guest passed. Raises FrameError with code `invalid_argument`."""
        try:
            values = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise _invalid("that is not JSON") from error
        if not isinstance(values, dict) or values.keys() - _OPTIONAL_KEYS not in (
            _KEYS | {_REASON},
            _KEYS | {_REASONS},
        ):
            raise _invalid(f"that is not an object of exactly {', '.join(sorted(_KEYS))} and {_REASONS}")
        stream, row = values["stream"], values["row"]
        reasons = values[_REASONS] if _REASONS in values else [values[_REASON]]
        if type(stream) is not int or stream < 0 or not all(isinstance(values[key], str) for key in _TEXTS):
            raise _invalid("whose stream is no number, or whose category or code is no text")
        if not isinstance(reasons, list) or not reasons or not all(isinstance(reason, str) for reason in reasons):
            raise _invalid("whose reasons are not a list of at least one text")
        if not isinstance(row, dict) or not all(value is None or isinstance(value, str) for value in row.values()):
            raise _invalid("whose row is not an object of texts and nulls")
        unreadable, place = values.get("unreadable", []), values.get("place")
        if not isinstance(unreadable, list) or not all(isinstance(name, str) for name in unreadable):
            raise _invalid("whose unreadable columns are no list of names")
        if place is not None and (type(place) is not int or place < 0):
            raise _invalid("whose place is no number")
        return cls(stream, _category(values["category"]), values["code"], tuple(reasons), row, tuple(unreadable), place)


def _category(name: Any) -> Category:
    try:
        return Category(name)
    except ValueError as error:
        raise _invalid(f"of the unknown category {name!r}") from error


def _invalid(what: str) -> FrameError:
    return FrameError(f"A guest passed a rejected row {what}.", ErrorInfo("invalid_argument"))
