"""Which progress fits the place that it is shown in."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rapidbyte.cli.output import Output
from rapidbyte.cli.plain import PlainProgress
from rapidbyte.engine import Event

_LIVE = "rapidbyte.cli.live"  # by name: it brings a terminal library that takes longer to load than a small run


class Progress(Protocol):
    """What shows how far a command is."""

    def say(self, text: str) -> None:
        """Show a line."""

    def on_event(self, event: Event) -> None:
        """Show what happened in a run."""


@contextmanager
def progress_for(output: Output) -> Iterator[Progress]:
    """Within the block, show progress on the terminal if there is one, else as lines; nothing when quiet."""
    if output.is_terminal and not output.is_quiet:
        with importlib.import_module(_LIVE).LiveProgress(output.stderr) as live:
            yield live
    else:
        yield PlainProgress(output)
