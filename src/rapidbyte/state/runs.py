"""The history of runs: what started, how it ended, and which process died in between."""

from __future__ import annotations

from datetime import datetime

from rapidbyte.errors import Category, ErrorInfo, RapidbyteError, StateError
from rapidbyte.model import RunReport, RunStatus, StreamReport
from rapidbyte.state.database import Database, Liveness, Row, Statements, moment, stamp, storable
from rapidbyte.state.record import RunRecord

_STREAM_COLUMNS = (
    "name, rows_read, rows_written, bytes_read, batches, duration_s, attempts, rows_rejected, rows_filtered, lanes"
)
_STREAM_PLACES = ", ".join("?" for _ in _STREAM_COLUMNS.split(","))


class RunStore:
    """The runs in a database; safe to use from several threads. Every method raises StateError."""

    def __init__(self, database: Database, alive: Liveness) -> None:
        self._database = database
        self._alive = alive

    def start(self, run_id: str, pipeline: str, started_at: datetime) -> None:
        """Record that a run begins in this process; it counts as interrupted if the process ends without a word."""
        with self._database.transaction() as statements:
            self._alive.hold(run_id)  # before the row can be seen
            statements.run(
                "INSERT INTO runs (run_id, pipeline, status, started_at) VALUES (?, ?, ?, ?)",
                (run_id, pipeline, RunStatus.RUNNING.value, stamp(started_at)),
            )

    def finish(self, report: RunReport, finished_at: datetime) -> None:
        """Record a run that came to its end, with its streams."""
        with self._database.transaction() as statements:
            self._end(
                statements,
                report.run_id,
                "status = ?, finished_at = ?, rows_read = ?, rows_written = ?, rows_rejected = ?, rows_filtered = ?, "
                "bytes_read = ?",
                (
                    report.status.value,
                    stamp(finished_at),
                    report.rows_read,
                    report.rows_written,
                    report.rows_rejected,
                    report.rows_filtered,
                    report.bytes_read,
                ),
            )
            statements.run_for_each(
                f"INSERT INTO run_streams (run_id, position, {_STREAM_COLUMNS}) VALUES (?, ?, {_STREAM_PLACES})",
                [(report.run_id, position, *_values(stream)) for position, stream in enumerate(report.streams)],
            )
        self._alive.release(report.run_id)

    def fail(self, run_id: str, status: RunStatus, error: RapidbyteError, finished_at: datetime) -> None:
        """Record a run that failed or was cancelled, and why."""
        with self._database.transaction() as statements:
            self._end(
                statements,
                run_id,
                "status = ?, finished_at = ?, error_category = ?, error_code = ?, error_message = ?",
                (status.value, stamp(finished_at), error.category.value, error.code, storable(error.message)),
            )
        self._alive.release(run_id)

    def runs(self, pipeline: str | None = None, limit: int = 20) -> tuple[RunRecord, ...]:
        """Return the latest runs, newest first; those whose process is gone are recorded as interrupted."""
        with self._database.transaction() as statements:
            self._mark_interrupted(statements)
            wanted, values = ("", ()) if pipeline is None else ("WHERE pipeline = ?", (pipeline,))
            found = statements.run(
                f"SELECT * FROM runs {wanted} ORDER BY started_at DESC, rowid DESC LIMIT ?", (*values, limit)
            )
            return tuple(_record(row, _streams(statements, row["run_id"])) for row in found.rows)

    def last_completed(self, pipeline: str) -> datetime | None:
        """Return when the last run of a pipeline began that came to its end."""
        with self._database.transaction() as statements:
            found = statements.run(
                "SELECT max(started_at) AS moment FROM runs WHERE pipeline = ? AND status = ?",
                (pipeline, RunStatus.COMPLETED.value),
            )
        (row,) = found.rows
        return None if row["moment"] is None else moment(row["moment"])

    def _end(self, statements: Statements, run_id: str, columns: str, values: tuple[object, ...]) -> None:
        # One that another process took for dead, while its session was lost, lives.
        ended = statements.run(
            f"UPDATE runs SET {columns} WHERE run_id = ? AND status IN (?, ?)",
            (*values, run_id, RunStatus.RUNNING.value, RunStatus.INTERRUPTED.value),
        )
        if ended.count != 1:
            raise StateError(
                f"Run {run_id} is not running according to {self._database.place}.", ErrorInfo("run_not_running")
            )

    def _mark_interrupted(self, statements: Statements) -> None:
        running = statements.run("SELECT run_id FROM runs WHERE status = ?", (RunStatus.RUNNING.value,))
        for row in running.rows:
            if not self._alive.is_held(row["run_id"]):
                statements.run(
                    "UPDATE runs SET status = ? WHERE run_id = ?", (RunStatus.INTERRUPTED.value, row["run_id"])
                )


def _streams(statements: Statements, run_id: str) -> tuple[StreamReport, ...]:
    found = statements.run(f"SELECT {_STREAM_COLUMNS} FROM run_streams WHERE run_id = ? ORDER BY position", (run_id,))
    return tuple(StreamReport(**row) for row in found.rows)


def _values(stream: StreamReport) -> tuple[object, ...]:
    """Return the values of _STREAM_COLUMNS."""
    return (
        stream.name,
        stream.rows_read,
        stream.rows_written,
        stream.bytes_read,
        stream.batches,
        stream.duration_s,
        stream.attempts,
        stream.rows_rejected,
        stream.rows_filtered,
        stream.lanes,
    )


def _record(row: Row, streams: tuple[StreamReport, ...]) -> RunRecord:
    finished_at, category = row["finished_at"], row["error_category"]
    return RunRecord(
        run_id=row["run_id"],
        pipeline=row["pipeline"],
        status=RunStatus(row["status"]),
        started_at=moment(row["started_at"]),
        finished_at=None if finished_at is None else moment(finished_at),
        rows_read=row["rows_read"],
        rows_written=row["rows_written"],
        rows_rejected=row["rows_rejected"],
        rows_filtered=row["rows_filtered"],
        bytes_read=row["bytes_read"],
        error_category=None if category is None else Category(category),
        error_code=row["error_code"],
        error_message=row["error_message"],
        streams=streams,
    )
