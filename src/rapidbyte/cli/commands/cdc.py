"""`rapidbyte cdc status | drop FILE`: what a source keeps for a pipeline of changes."""

from __future__ import annotations

from collections.abc import Sequence

import rapidbyte
from rapidbyte.cli.arguments import Options
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted
from rapidbyte.cli.located import problems_located
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.model import Detail, Holding

_KEPT = (
    "The destination keeps the pipeline's tables and receipts; to run the pipeline again, drop its tables there, so "
    "that they are copied anew."
)


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """List what is kept, or drop it; without --yes, only tell what would be dropped. Raises RapidbyteError."""
    assert options.file is not None
    is_dropped = options.action == "drop" and options.is_sure
    cancel = rapidbyte.Cancellation()
    with problems_located(options.file), signals.stopping(cancel.cancel):
        found = rapidbyte.holdings(options.file, is_dropped=is_dropped, cancel=cancel)
    if output.is_json:
        output.document({"holdings": [holding_document(holding) for holding in found]})
    elif not found:
        output.say("The source keeps nothing for this pipeline.")
    elif options.action == "drop":
        output.result(drop_text(found))
    else:
        output.result(status_text(found))
    if options.action == "drop" and not is_dropped and any(holding.is_ours for holding in found):
        output.complain(
            "Nothing was dropped. Changes that the slot still keeps are lost with it; to drop what was made for the "
            "pipeline, repeat with --yes."
        )
        return ExitCode.USAGE
    return ExitCode.OK


def status_text(found: Sequence[Holding]) -> str:
    """Return what is kept for a person: what each is, then all that the source tells of it."""
    return "\n\n".join(
        f"{holding.kind} {holding.name} ({_owner(holding)})\n"
        + aligned(("", ""), [(f"  {name}", _shown(value)) for name, value in holding.details.items()]).lstrip("\n")
        for holding in found
    )


def drop_text(found: Sequence[Holding]) -> str:
    """Return for a person what was dropped, or can be, and what stays."""
    lines = [f"{_fate(holding)}: {holding.kind} {holding.name} ({_owner(holding)})" for holding in found]
    return "\n".join([*lines, _KEPT] if any(holding.is_dropped for holding in found) else lines)


def holding_document(holding: Holding) -> dict[str, object]:
    """Return what is kept for a machine."""
    return {
        "kind": holding.kind,
        "name": holding.name,
        "is_ours": holding.is_ours,
        "is_dropped": holding.is_dropped,
        "details": dict(holding.details),
    }


def _owner(holding: Holding) -> str:
    return "made for this pipeline" if holding.is_ours else "somebody else's, never dropped"


def _fate(holding: Holding) -> str:
    if holding.is_dropped:
        return "dropped"
    return "to drop" if holding.is_ours else "kept"


def _shown(value: Detail) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return counted(value)
    return "-" if value is None else value
