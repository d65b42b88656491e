"""`rapidbyte run FILE`: move the data of a pipeline, or show its first rows."""

from __future__ import annotations

from pathlib import Path

import rapidbyte
from rapidbyte.cli.arguments import Options
from rapidbyte.cli.displays import progress_for
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted, megabytes, rate
from rapidbyte.cli.located import problems_located
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.model import RunReport, StreamPreview

_PREVIEW_ROWS = 10
_SHOWN_CHARS = 40
_FIGURES = ("rows", "MB", "seconds", "rows/s")
_USAGE = ("instances", "peak MB", "host calls", "CPU s")


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """Run the pipeline and write what was moved, or what would be. Raises RapidbyteError."""
    assert options.file is not None
    if options.is_dry:
        return _preview(options, options.file, output, signals)
    cancel = rapidbyte.Cancellation()
    with problems_located(options.file), signals.stopping(cancel.cancel), progress_for(output) as progress:
        report = rapidbyte.run_pipeline(options.file, on_event=progress.on_event, cancel=cancel)
    if output.is_json:
        output.document(report_document(report))
    else:
        output.result(report_text(report))
    return ExitCode.OK


def _preview(options: Options, file: Path, output: Output, signals: Signals) -> ExitCode:
    cancel = rapidbyte.Cancellation()
    with problems_located(file), signals.stopping(cancel.cancel):
        previews = rapidbyte.preview_pipeline(file, limit=options.limit or _PREVIEW_ROWS, cancel=cancel)
    if output.is_json:
        output.document({"streams": [preview_document(preview) for preview in previews]})
    else:
        output.result("\n\n".join(preview_text(preview) for preview in previews))
        output.say("Nothing was written.")
    return ExitCode.OK


def preview_text(preview: StreamPreview) -> str:
    """Return the first rows of a stream for a person; long values are cut."""
    noun = "row" if len(preview.rows) == 1 else "rows"
    header = tuple(column.name for column in preview.columns)
    rows = [tuple(_shown(cell) for cell in row) for row in preview.rows]
    return f"{preview.name}: {len(rows)} {noun}\n{aligned(header, rows)}"


def preview_document(preview: StreamPreview) -> dict[str, object]:
    """Return the first rows of a stream for a machine."""
    return {
        "name": preview.name,
        "columns": [
            {"name": column.name, "type": column.type, "nullable": column.nullable} for column in preview.columns
        ],
        "rows": [list(row) for row in preview.rows],
    }


def _shown(cell: str | None) -> str:
    if cell is None:
        return "NULL"
    line = cell.replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= _SHOWN_CHARS else f"{line[: _SHOWN_CHARS - 1]}…"


def report_text(report: RunReport) -> str:
    """Return the report for a person: a line for each stream, and the whole."""
    rows = [
        (
            stream.name,
            counted(stream.rows_written),
            megabytes(stream.bytes_read),
            f"{stream.duration_s:.2f}",
            rate(stream.rows_written, stream.duration_s),
        )
        for stream in report.streams
    ]
    table = aligned(("stream", *_FIGURES), rows, right=_FIGURES)
    if report.connectors:
        table = f"{table}\n\n{_usage_text(report)}\n"
    noun = "row" if report.rows_written == 1 else "rows"
    return (
        f"{table}\n"
        f"{report.pipeline}: {counted(report.rows_written)} {noun}, {megabytes(report.bytes_read)} MB "
        f"in {report.duration_s:.2f} s ({report.status.value}, run {report.run_id})"
    )


def _usage_text(report: RunReport) -> str:
    rows = [
        (
            usage.connector,
            counted(usage.instances),
            megabytes(usage.memory_peak_bytes),
            counted(usage.host_calls),
            f"{usage.cpu_s:.2f}",
        )
        for usage in report.connectors
    ]
    return aligned(("connector", *_USAGE), rows, right=_USAGE)


def report_document(report: RunReport) -> dict[str, object]:
    """Return the report for a machine."""
    return {
        "run_id": report.run_id,
        "pipeline": report.pipeline,
        "status": report.status.value,
        "duration_s": report.duration_s,
        "rows_read": report.rows_read,
        "rows_written": report.rows_written,
        "rows_rejected": report.rows_rejected,
        "rows_filtered": report.rows_filtered,
        "bytes_read": report.bytes_read,
        "streams": [
            {
                "name": stream.name,
                "rows_read": stream.rows_read,
                "rows_written": stream.rows_written,
                "rows_rejected": stream.rows_rejected,
                "rows_filtered": stream.rows_filtered,
                "bytes_read": stream.bytes_read,
                "batches": stream.batches,
                "duration_s": stream.duration_s,
                "attempts": stream.attempts,
                "lanes": stream.lanes,
            }
            for stream in report.streams
        ],
        "connectors": [
            {
                "name": usage.connector,
                "instances": usage.instances,
                "memory_peak_bytes": usage.memory_peak_bytes,
                "host_calls": usage.host_calls,
                "cpu_s": usage.cpu_s,
            }
            for usage in report.connectors
        ],
    }
