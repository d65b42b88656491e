"""`rapidbyte runs`: list the latest runs of the history."""

from __future__ import annotations

from rapidbyte.cli.arguments import Options
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.cli.stored import existing_state
from rapidbyte.state import RunRecord


def execute(options: Options, output: Output, _: Signals) -> ExitCode:
    """Write the runs of the state, newest first. Raises StateError."""
    with existing_state(options) as (state, place):
        runs = () if state is None else state.runs.runs(options.pipeline, options.limit)
    if output.is_json:
        output.document({"runs": [run_document(run) for run in runs]})
    elif runs:
        output.result(runs_text(runs))
    else:
        output.say(
            f"No runs are recorded in {place}. Where a pipeline sets state.connection, name its document with --file."
        )
    return ExitCode.OK


def runs_text(runs: tuple[RunRecord, ...]) -> str:
    """Return the runs for a person, a line each."""
    rows = []
    for run in runs:
        first_line = (run.error_message or "").partition("\n")[0]
        rows.append(
            (
                f"{run.started_at:%Y-%m-%d %H:%M:%S}",
                run.pipeline,
                run.status.value,
                "-" if run.rows_written is None else counted(run.rows_written),
                "-" if run.rows_rejected is None else counted(run.rows_rejected),
                "-" if run.finished_at is None else f"{(run.finished_at - run.started_at).total_seconds():.2f}",
                first_line,
            )
        )
    header = ("started (UTC)", "pipeline", "status", "rows", "rejected", "seconds", "error")
    return aligned(header, rows, right=("rows", "rejected", "seconds"))


def run_document(run: RunRecord) -> dict[str, object]:
    """Return a run for a machine."""
    error = None
    if run.error_category is not None:
        error = {"category": run.error_category.value, "code": run.error_code, "message": run.error_message}
    return {
        "run_id": run.run_id,
        "pipeline": run.pipeline,
        "status": run.status.value,
        "started_at": run.started_at.isoformat(),
        "finished_at": None if run.finished_at is None else run.finished_at.isoformat(),
        "rows_read": run.rows_read,
        "rows_written": run.rows_written,
        "rows_rejected": run.rows_rejected,
        "rows_filtered": run.rows_filtered,
        "bytes_read": run.bytes_read,
        "error": error,
    }
