"""rapidbyte moves data between databases through connectors compiled to WebAssembly.

The names below are the public interface. Those of the engine are loaded when they are first used, so that commands
which do not run anything start at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from rapidbyte.errors import RapidbyteError
from rapidbyte.model import (
    Catalog,
    Check,
    CheckReport,
    CheckStatus,
    Column,
    Holding,
    KeptLetter,
    Pipeline,
    ReplayReport,
    RunReport,
    RunStatus,
    Stream,
    StreamPreview,
    StreamReplay,
    StreamReport,
)

if TYPE_CHECKING:
    from rapidbyte.engine import (
        Cancellation,
        ConnectorCompiling,
        Event,
        LogLine,
        RunFinished,
        RunStarted,
        StreamFinished,
        StreamProgress,
        StreamStarted,
        check_pipeline,
        discover,
        holdings,
        preview_pipeline,
        replay_dead_letters,
        run_pipeline,
    )

__version__ = "0.1.0"

__all__ = [
    "Cancellation",
    "Catalog",
    "Check",
    "CheckReport",
    "CheckStatus",
    "Column",
    "ConnectorCompiling",
    "Event",
    "Holding",
    "KeptLetter",
    "LogLine",
    "Pipeline",
    "RapidbyteError",
    "ReplayReport",
    "RunFinished",
    "RunReport",
    "RunStarted",
    "RunStatus",
    "Stream",
    "StreamFinished",
    "StreamPreview",
    "StreamProgress",
    "StreamReplay",
    "StreamReport",
    "StreamStarted",
    "check_pipeline",
    "discover",
    "holdings",
    "preview_pipeline",
    "replay_dead_letters",
    "run_pipeline",
]


def __getattr__(name: str) -> object:
    """Load a public name of the engine (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module("rapidbyte.engine"), name)
    globals()[name] = value
    return value
