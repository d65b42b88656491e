"""`rapidbyte check FILE`: verify a pipeline without moving a row."""

from __future__ import annotations

import rapidbyte
from rapidbyte.cli.arguments import Options
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned
from rapidbyte.cli.located import problems_located
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.model import CheckReport


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """Check the pipeline and write every verdict; a failed one makes the exit code DATA. Raises RapidbyteError."""
    assert options.file is not None
    cancel = rapidbyte.Cancellation()
    with problems_located(options.file), signals.stopping(cancel.cancel):
        report = rapidbyte.check_pipeline(options.file, cancel=cancel)
    if output.is_json:
        output.document(report_document(report))
    else:
        output.result(report_text(report))
    return ExitCode.OK if report.is_ok else ExitCode.DATA


def report_text(report: CheckReport) -> str:
    """Return the verdicts for a person."""
    rows = [(check.status.value, check.subject, check.name, check.message) for check in report.checks]
    verdict = "The pipeline is ready to run." if report.is_ok else "The pipeline is not ready to run."
    return f"{aligned(('status', 'subject', 'check', 'message'), rows)}\n{verdict}"


def report_document(report: CheckReport) -> dict[str, object]:
    """Return the verdicts for a machine."""
    return {
        "is_ok": report.is_ok,
        "checks": [
            {"subject": check.subject, "name": check.name, "status": check.status.value, "message": check.message}
            for check in report.checks
        ],
    }
