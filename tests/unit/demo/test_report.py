"""How the demo's result is shown."""

from __future__ import annotations

import io
import json

from rich.console import Console

from rapidbyte.demo.report import DemoReport, KeptServer, TableResult, as_json, as_lines, as_table

_TABLES = (TableResult("airlines", 16, 500, 0.0), TableResult("flights", 336_776, 42_000_000, 1.25))
_REPORT = DemoReport(_TABLES, duration_s=2.0, peak_memory_bytes=101_500_000, kept=None)
_KEPT = KeptServer("postgresql://me@127.0.0.1:5555/postgres", 4711, "here", "there")


def test_lines_are_aligned_and_end_with_the_sum_over_the_time_of_the_run() -> None:
    assert list(as_lines(_REPORT)) == [
        "table        rows    MB  seconds   rows/s  proof",
        "airlines       16   0.0     0.00        0  equal",
        "flights   336,776  42.0     1.25  269,421  equal",
        "total     336,792  42.0     2.00  168,396  equal",
        "Every table arrived row for row. Peak memory of this process: 101.5 MB.",
    ]


def test_kept_server_is_named_with_the_way_to_stop_it() -> None:
    lines = list(as_lines(DemoReport(_TABLES, 2.0, 1, _KEPT)))
    assert lines[-2:] == [
        "The server is still running: postgresql://me@127.0.0.1:5555/postgres",
        "Compare schemas here and there. Stop it with: kill 4711",
    ]


def test_table_holds_the_same_figures() -> None:
    out = io.StringIO()
    Console(file=out, width=100).print(as_table(_REPORT))
    assert "│ flights  │ 336,776 │ 42.0 │    1.25 │ 269,421 │ equal │" in out.getvalue()


def test_json_has_plain_numbers() -> None:
    document = json.loads(as_json(DemoReport(_TABLES, 2.0, 7, _KEPT)))
    assert document["total"] == {
        "name": "total",
        "rows": 336_792,
        "bytes": 42_000_500,
        "seconds": 2.0,
        "is_equal": True,
    }
    assert [table["name"] for table in document["tables"]] == ["airlines", "flights"]
    assert document["peak_memory_bytes"] == 7
    assert document["kept"] == {"dsn": _KEPT.dsn, "guard_pid": 4711}
