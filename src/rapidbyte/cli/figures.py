"""Numbers and tables in plain text."""

from __future__ import annotations

from collections.abc import Sequence

_MEGABYTE = 1_000_000


def counted(number: int) -> str:
    """Return a count with its thousands set apart."""
    return f"{number:,}"


def megabytes(size_bytes: int) -> str:
    """Return a size in MB (10^6 bytes)."""
    return f"{size_bytes / _MEGABYTE:,.1f}"


def rate(rows: int, duration_s: float) -> str:
    """Return rows per second, or `-` where no time has passed."""
    return f"{rows / duration_s:,.0f}" if duration_s > 0 else "-"


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Return a table whose columns named in `right` are aligned there, without trailing spaces."""
    widths = [max(len(line[column]) for line in (header, *rows)) for column in range(len(header))]
    lines = []
    for line in (header, *rows):
        cells = [
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(header, line, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
