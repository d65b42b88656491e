"""`rapidbyte discover FILE`: list what a pipeline's source offers."""

from __future__ import annotations

import rapidbyte
from rapidbyte.cli.arguments import Options
from rapidbyte.cli.exit_codes import ExitCode
from rapidbyte.cli.figures import aligned, counted
from rapidbyte.cli.located import problems_located
from rapidbyte.cli.output import Output
from rapidbyte.cli.signals import Signals
from rapidbyte.model import Catalog, Stream


def execute(options: Options, output: Output, signals: Signals) -> ExitCode:
    """Ask the source and write its streams. Raises RapidbyteError."""
    assert options.file is not None
    cancel = rapidbyte.Cancellation()
    with problems_located(options.file), signals.stopping(cancel.cancel):
        catalog = rapidbyte.discover(options.file, cancel=cancel)
    if output.is_json:
        output.document(catalog_document(catalog))
    elif catalog.streams:
        output.result("\n\n".join(stream_text(stream) for stream in catalog.streams))
    else:
        output.say("The source has no tables that this user can see.")
    return ExitCode.OK


def stream_text(stream: Stream) -> str:
    """Return a stream for a person: its size if known, then its columns."""
    size = "" if stream.estimated_rows is None else f" (about {counted(stream.estimated_rows)} rows)"
    rows = [
        (
            f"  {column.name}",
            column.type,
            "" if column.nullable else "not null",
            "key" if column.name in stream.primary_key else "",
        )
        for column in stream.columns
    ]
    return f"{stream.name}{size}\n{aligned(('  column', 'type', '', ''), rows)}" if rows else f"{stream.name}{size}"


def catalog_document(catalog: Catalog) -> dict[str, object]:
    """Return the catalog for a machine."""
    return {
        "streams": [
            {
                "name": stream.name,
                "columns": [
                    {"name": column.name, "type": column.type, "nullable": column.nullable} for column in stream.columns
                ],
                "primary_key": list(stream.primary_key),
                "estimated_rows": stream.estimated_rows,
                "estimated_bytes": stream.estimated_bytes,
            }
            for stream in catalog.streams
        ]
    }
