"""What is told of a stream while it moves and once it has, out of what was counted."""

from __future__ import annotations

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.events import StreamProgress
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Resumption
from rapidbyte.model import StreamReport, StreamSpec
from rapidbyte.state import RejectedAt


def progress_of(spec: StreamSpec, total: Total, before: Resumption) -> StreamProgress:
    """Tell how far a stream is; `before` is what the run moved of it in earlier attempts."""
    return StreamProgress(
        spec.name,
        before.rows + total.sent.rows,
        before.rows + total.durable_rows,
        before.size_bytes + total.sent.size_bytes,
    )


def report_of(stream: int, spec: StreamSpec, total: Total, before: Resumption, rejects: Rejects) -> StreamReport:
    """Tell what was moved of a stream, as of one attempt that took no time. Raises StateError."""
    rejects.complete(stream)
    stages = (RejectedAt.SOURCE, RejectedAt.TRANSFORM, RejectedAt.DESTINATION)
    unread, unfit, unwritten = (rejects.count(stream, stage) for stage in stages)
    rejected_before = rejects.earlier(stream)
    return StreamReport(
        name=spec.name,
        rows_read=before.rows + rejected_before + total.sent.rows + unread,
        rows_written=before.rows + total.durable_rows - unwritten,
        bytes_read=before.size_bytes + total.sent.size_bytes,
        batches=total.sent.batches,
        duration_s=0.0,
        attempts=1,
        rows_rejected=rejected_before + unread + unfit + unwritten,
        rows_filtered=total.filtered_rows,
    )
