"""`rapidbyte demo`: a real data set through the real parts, with the proof that every row arrived."""

from __future__ import annotations

from rich.console import Console

from rapidbyte.cli.arguments import Options
from rapidbyte.cli.displays import progress_for
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.demo import Watching, as_json, as_lines, as_table, closing_lines, run_demo


def execute(options: Options, output: Output, _: Signals) -> ExitCode:
    """Run the demo and write its table. Raises RapidbyteError."""
    with progress_for(output) as progress:
        report = run_demo(Watching(progress.say, progress.on_event), keep=options.is_kept)
    if output.is_json:
        output.result(as_json(report))
    elif output.stdout.isatty():
        Console(file=output.stdout).print(as_table(report))
        output.result("\n".join(closing_lines(report)))
    else:
        output.result("\n".join(as_lines(report)))
    return ExitCode.OK
