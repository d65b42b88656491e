"""What the demo found out, and how it is shown: as lines, as a table on a terminal, as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

_MEGABYTE = 1_000_000

_COLUMNS = ("table", "rows", "MB", "seconds", "rows/s", "proof")


@dataclass(frozen=True, slots=True)
class TableResult:
    """One table: how much was moved how fast. Tables move side by side, so their times overlap."""

    name: str
    rows: int
    size_bytes: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class KeptServer:
    """A server that was left running: its DSN holds the password; SIGTERM to `guard_pid` ends it."""

    dsn: str
    guard_pid: int
    source_schema: str
    destination_schema: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """A demo whose every table was proved equal. `duration_s` is the time of the pipeline alone."""

    tables: tuple[TableResult, ...]
    duration_s: float
    peak_memory_bytes: int
    kept: KeptServer | None

    @property
    def total(self) -> TableResult:
        """All tables together, over the time of the run."""
        return TableResult(
            "total",
            sum(table.rows for table in self.tables),
            sum(table.size_bytes for table in self.tables),
            self.duration_s,
        )


def as_lines(report: DemoReport) -> Iterator[str]:
    """Write the report for a log."""
    rows = [_COLUMNS, *(_cells(table) for table in (*report.tables, report.total))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    for name, *figures in rows:
        cells = [name.ljust(widths[0]), *(f.rjust(width) for f, width in zip(figures, widths[1:], strict=True))]
        yield "  ".join(cells)
    yield from closing_lines(report)


def as_table(report: DemoReport) -> Table:
    """Lay the report out for a terminal; `closing_lines` belong below it."""
    table = Table()
    for position, column in enumerate(_COLUMNS):
        table.add_column(column, justify="right" if position else "left")
    for result in report.tables:
        table.add_row(*_cells(result))
    table.add_section()
    table.add_row(*_cells(report.total), style="bold")
    return table


def closing_lines(report: DemoReport) -> Iterator[str]:
    """Say what the table does not."""
    yield f"Every table arrived row for row. Peak memory of this process: {_megabytes(report.peak_memory_bytes)} MB."
    if report.kept is not None:
        kept = report.kept
        yield f"The server is still running: {kept.dsn}"
        yield f"Compare schemas {kept.source_schema} and {kept.destination_schema}. Stop it with: kill {kept.guard_pid}"


def as_json(report: DemoReport) -> str:
    """Write the report for machines, on one line."""
    kept = report.kept
    return json.dumps(
        {
            "tables": [_document(table) for table in report.tables],
            "total": _document(report.total),
            "peak_memory_bytes": report.peak_memory_bytes,
            "kept": None if kept is None else {"dsn": kept.dsn, "guard_pid": kept.guard_pid},
        }
    )


def _cells(result: TableResult) -> tuple[str, ...]:
    rate = result.rows / result.duration_s if result.duration_s else 0.0
    return (
        result.name,
        f"{result.rows:,}",
        _megabytes(result.size_bytes),
        f"{result.duration_s:.2f}",
        f"{rate:,.0f}",
        "equal",
    )


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / _MEGABYTE:.1f}"


def _document(result: TableResult) -> dict[str, object]:
    return {
        "name": result.name,
        "rows": result.rows,
        "bytes": result.size_bytes,
        "seconds": round(result.duration_s, 3),
        "is_equal": True,
    }
