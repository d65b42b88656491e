"""`rapidbyte run FILE`: move the data of a pipeline."""

from __future__ import annotations

import rapidbyte
from rapidbyte.cli.arguments import Options
from rapidbyte.cli.displays import progress_for
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted, megabytes, rate
from rapidbyte.cli.located import problems_located
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.model import RunReport

_FIGURES = ("rows", "MB", "seconds", "rows/s")


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """Run the pipeline and write what was moved. Raises RapidbyteError."""
    assert options.file is not None
    cancel = rapidbyte.Cancellation()
    with problems_located(options.file), signals.stopping(cancel.cancel), progress_for(output) as progress:
        report = rapidbyte.run_pipeline(options.file, on_event=progress.on_event, cancel=cancel)
    if output.is_json:
        output.document(report_document(report))
    else:
        output.result(report_text(report))
    return ExitCode.OK


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
    noun = "row" if report.rows_written == 1 else "rows"
    return (
        f"{table}\n"
        f"{report.pipeline}: {counted(report.rows_written)} {noun}, {megabytes(report.bytes_read)} MB "
        f"in {report.duration_s:.2f} s ({report.status.value}, run {report.run_id})"
    )


def report_document(report: RunReport) -> dict[str, object]:
    """Return the report for a machine."""
    return {
        "run_id": report.run_id,
        "pipeline": report.pipeline,
        "status": report.status.value,
        "duration_s": report.duration_s,
        "rows_read": report.rows_read,
        "rows_written": report.rows_written,
        "bytes_read": report.bytes_read,
        "streams": [
            {
                "name": stream.name,
                "rows_read": stream.rows_read,
                "rows_written": stream.rows_written,
                "bytes_read": stream.bytes_read,
                "batches": stream.batches,
                "duration_s": stream.duration_s,
                "attempts": stream.attempts,
            }
            for stream in report.streams
        ],
    }
