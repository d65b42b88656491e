"""The engine: plans a pipeline, runs its connectors on threads, and accounts for every row."""

from rapidbyte.engine.cancellation import Cancellation
from rapidbyte.engine.check import check_pipeline
from rapidbyte.engine.discover import discover
from rapidbyte.engine.events import (
    ConnectorCompiling,
    Event,
    LogLine,
    RunFinished,
    RunStarted,
    StreamFinished,
    StreamProgress,
    StreamStarted,
)
from rapidbyte.engine.holdings import holdings
from rapidbyte.engine.preview import preview_pipeline
from rapidbyte.engine.replay import replay_dead_letters
from rapidbyte.engine.run import run_pipeline

__all__ = [
    "Cancellation",
    "ConnectorCompiling",
    "Event",
    "LogLine",
    "RunFinished",
    "RunStarted",
    "StreamFinished",
    "StreamProgress",
    "StreamStarted",
    "check_pipeline",
    "discover",
    "holdings",
    "preview_pipeline",
    "replay_dead_letters",
    "run_pipeline",
]
