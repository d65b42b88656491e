"""The transforms that are measured, as a document has them, and how many rows each leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

_RULES: Sequence[Mapping[str, object]] = (
    {"assert_not_null": ["id", "quantity"]},
    {"assert_regex": {"note": "^note [0-9]+ [0-9a-f]{32}$"}},
    {"assert_range": {"quantity": {"min": 0, "max": 999_999}}},
    {"assert_range": {"price": {"min": 0}}},
)


class Passage(Enum):
    """What stands between the source and the destination. A tenth of the rows ends with the digit 0."""

    NONE = "none"
    IDENTITY = "sql_identity"
    FILTER = "sql_filter"
    COMPUTE = "sql_compute"
    NOT_NULL = "validate_not_null"
    RULES = "validate_rules"
    UNIQUE = "validate_unique"

    @property
    def transforms(self) -> Sequence[Mapping[str, object]]:
        """The transforms: one, or none."""
        return {
            Passage.NONE: (),
            Passage.IDENTITY: _sql("SELECT * FROM mixed"),
            Passage.FILTER: _sql("SELECT * FROM mixed WHERE id % 10 <> 0"),
            Passage.COMPUTE: _sql(
                "SELECT * REPLACE (upper(note) AS note, price * 1.10 AS price, coalesce(ratio, 0) AS ratio) FROM mixed"
            ),
            Passage.NOT_NULL: _validate(_RULES[:1]),
            Passage.RULES: _validate(_RULES),
            Passage.UNIQUE: _validate(({"assert_unique": "id"},)),
        }[self]

    def rows_left(self, rows: int) -> int:
        """Give the number of rows that leave, of as many as go in."""
        return rows - rows // 10 if self is Passage.FILTER else rows


def _sql(query: str) -> Sequence[Mapping[str, object]]:
    return ({"use": "sql", "config": {"query": query}},)


def _validate(rules: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, object]]:
    return ({"use": "validate", "config": {"rules": list(rules)}},)
