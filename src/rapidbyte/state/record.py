"""One run as the history remembers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rapidbyte.errors import Category
from rapidbyte.model import RunStatus, StreamReport


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that started; counts are None until it has completed, `error_*` unless it failed or was cancelled."""

    run_id: str
    pipeline: str
    status: RunStatus
    started_at: datetime
    finished_at: datetime | None = None
    rows_read: int | None = None
    rows_written: int | None = None
    bytes_read: int | None = None
    rows_rejected: int | None = None
    rows_filtered: int | None = None
    error_category: Category | None = None
    error_code: str | None = None
    error_message: str | None = None
    streams: tuple[StreamReport, ...] = ()
