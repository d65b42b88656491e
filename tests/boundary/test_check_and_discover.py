"""The two public calls that move nothing."""

from __future__ import annotations

import rapidbyte
from boundary.fix_runs import GOOD_DESTINATION, GOOD_SOURCE, MakeDocument
from boundary.relay_guests import STREAM, Script
from boundary.wat_guests import build, manifest_of
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


def test_columns_that_tell_of_a_change_are_none_of_the_table(document: MakeDocument) -> None:
    names = ("id", "_rb_op", "_rb_lsn", "_rb_seq", "_rb_unchanged", "_rb_old_1", "_rb_older")
    columns = [{"name": name, "type": "text", "nullable": True} for name in names]
    script = Script()
    bodies = {
        "rb_check": script.answer({"ok": {"checks": []}}),
        "rb_prepare": script.answer({"ok": {"streams": [{**STREAM, "columns": columns}]}}),
    }
    manifest = manifest_of(capabilities={"sync_modes": ["cdc"], "write_modes": []})
    source = build(bodies, fields="\n".join(script.fields), manifest=manifest)
    values = document(source, GOOD_DESTINATION, sync_mode="cdc")
    (told,) = [check.message for check in rapidbyte.check_pipeline(values).checks if check.name == "stream"]
    assert told == "public.t has 2 columns to move"


def test_discover_lists_what_the_source_offers(document: MakeDocument) -> None:
    (stream,) = rapidbyte.discover(document(GOOD_SOURCE, b"")).streams
    assert (stream.name, stream.columns) == ("public.t", (Column("id", "bigint", nullable=False),))
