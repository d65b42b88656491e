"""The queries that are measured, and how many rows each leaves."""

from __future__ import annotations

from enum import Enum


class Query(Enum):
    """What stands between the source and the destination. A tenth of the rows ends with the digit 0."""

    NONE = "none"
    IDENTITY = "identity"
    FILTER = "filter"
    COMPUTE = "compute"

    @property
    def text(self) -> str | None:
        """The SELECT, if there is a transform."""
        return {
            Query.NONE: None,
            Query.IDENTITY: "SELECT * FROM mixed",
            Query.FILTER: "SELECT * FROM mixed WHERE id % 10 <> 0",
            Query.COMPUTE: (
                "SELECT * REPLACE (upper(note) AS note, price * 1.10 AS price, coalesce(ratio, 0) AS ratio) FROM mixed"
            ),
        }[self]

    def rows_left(self, rows: int) -> int:
        """Give the number of rows that leave, of as many as go in."""
        return rows - rows // 10 if self is Query.FILTER else rows
