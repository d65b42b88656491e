"""`rapidbyte dlq replay FILE [ID ...]`: load rejected rows into the destination after all."""

from __future__ import annotations

import rapidbyte
from rapidbyte.cli.arguments import Options
from rapidbyte.cli.displays import progress_for
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted
from rapidbyte.cli.located import problems_located
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.model import ReplayReport

_SHOWN_LETTERS = 20


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """Replay the rows and write what came of them; the exit code is DATA where some stay. Raises RapidbyteError."""
    assert options.file is not None
    cancel = rapidbyte.Cancellation()
    with problems_located(options.file), signals.stopping(cancel.cancel), progress_for(output) as progress:
        report = rapidbyte.replay_dead_letters(
            options.file,
            letter_ids=options.letter_ids,
            stream=options.stream,
            run_id=options.run_id,
            is_dry=options.is_dry,
            on_event=progress.on_event,
            cancel=cancel,
        )
    if output.is_json:
        output.document(report_document(report))
    else:
        output.result(report_text(report))
    return ExitCode.DATA if report.rows_kept else ExitCode.OK


def report_text(report: ReplayReport) -> str:
    """Return the report for a person: what was replayed of each stream, and why the rest was not."""
    if not report.streams:
        return f"No rejected rows of pipeline {report.pipeline} wait."
    done = "to replay" if report.is_dry else "replayed"
    figures = (done, "kept")
    rows = [(stream.name, counted(stream.rows_replayed), counted(len(stream.kept))) for stream in report.streams]
    kept = [
        (str(letter.letter_id), stream.name, letter.reason.partition("\n")[0])
        for stream in report.streams
        for letter in stream.kept
    ]
    lines = [aligned(("stream", *figures), rows, right=figures)]
    if kept:
        lines.append(aligned(("id", "stream", "why it is kept"), kept[:_SHOWN_LETTERS], right=("id",)))
    if len(kept) > _SHOWN_LETTERS:
        lines.append(f"and {counted(len(kept) - _SHOWN_LETTERS)} more; `rapidbyte dlq list` lists all that wait.")
    lines.append(
        f"{report.pipeline}: {counted(report.rows_replayed)} {_rows(report.rows_replayed)} {done}, "
        f"{counted(report.rows_kept)} kept"
        + (". Nothing was written, and the destination was not asked." if report.is_dry else "")
    )
    return "\n".join(lines)


def report_document(report: ReplayReport) -> dict[str, object]:
    """Return the report for a machine."""
    return {
        "pipeline": report.pipeline,
        "is_dry": report.is_dry,
        "rows_replayed": report.rows_replayed,
        "rows_kept": report.rows_kept,
        "streams": [
            {
                "name": stream.name,
                "rows_replayed": stream.rows_replayed,
                "kept": [{"id": letter.letter_id, "reason": letter.reason} for letter in stream.kept],
            }
            for stream in report.streams
        ],
    }


def _rows(count: int) -> str:
    return "row" if count == 1 else "rows"
