"""The two public calls that move nothing."""

from __future__ import annotations

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, GOOD_SOURCE, MakeDocument
from rapidbyte.model import CheckStatus, Column


def test_check_reports_what_both_sides_find(document: MakeDocument) -> None:
    report = rapidbyte.check_pipeline(document(GOOD_SOURCE, GOOD_DESTINATION))
    assert [(check.subject, check.name, check.status) for check in report.checks] == [
        ("state", "store", CheckStatus.OK),
        ("source", "connection", CheckStatus.OK),
        ("source", "taste", CheckStatus.WARN),
        ("destination", "connection", CheckStatus.OK),
        ("t", "stream", CheckStatus.OK),
    ]
    assert report.is_ok


def test_discover_lists_what_the_source_offers(document: MakeDocument) -> None:
    (stream,) = rapidbyte.discover(document(GOOD_SOURCE, b"")).streams
    assert (stream.name, stream.columns) == ("public.t", (Column("id", "bigint", nullable=False),))
