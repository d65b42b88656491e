"""The history of runs: what started, how it ended, and which process died in between.

Several processes may use one file at a time. A RunStore belongs to the thread that opened it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rapidbyte.errors import Category, ErrorInfo, RapidbyteError, StateError
from rapidbyte.model import RunReport, RunStatus, StreamReport
from rapidbyte.state.liveness import RunLocks
from rapidbyte.state.opening import open_database, translated
from rapidbyte.state.record import RunRecord

_STREAM_COLUMNS = "name, rows_read, rows_written, bytes_read, batches, duration_s, attempts"


class RunStore:
    """An open state file. Use it through `with`, or call `close`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = connection
        self._locks = RunLocks(path.with_name(f"{path.name}-live"))

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file, making it and its directories if they are not there.

        Raises StateError with code `state_unwritable`, `state_too_new`, `state_corrupt` or `state_busy`.
        """
        return cls(path, open_database(path))

    def start(self, run_id: str, pipeline: str, started_at: datetime) -> None:
        """Record that a run begins in this process; it counts as interrupted if the process ends without a word."""
        with self._transaction() as connection:
            self._locks.hold(run_id)  # before the row can be seen
            connection.execute(
                "INSERT INTO runs (run_id, pipeline, status, started_at) VALUES (?, ?, ?, ?)",
                (run_id, pipeline, RunStatus.RUNNING.value, _stamp(started_at)),
            )

    def finish(self, report: RunReport, finished_at: datetime) -> None:
        """Record a run that came to its end, with its streams."""
        with self._transaction() as connection:
            self._end(
                connection,
                report.run_id,
                "status = ?, finished_at = ?, rows_read = ?, rows_written = ?, bytes_read = ?",
                (report.status.value, _stamp(finished_at), report.rows_read, report.rows_written, report.bytes_read),
            )
            connection.executemany(
                f"INSERT INTO run_streams (run_id, position, {_STREAM_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(report.run_id, position, *_values(stream)) for position, stream in enumerate(report.streams)],
            )
        self._locks.release(report.run_id)

    def fail(self, run_id: str, status: RunStatus, error: RapidbyteError, finished_at: datetime) -> None:
        """Record a run that failed or was cancelled, and why."""
        with self._transaction() as connection:
            self._end(
                connection,
                run_id,
                "status = ?, finished_at = ?, error_category = ?, error_code = ?, error_message = ?",
                (status.value, _stamp(finished_at), error.category.value, error.code, error.message),
            )
        self._locks.release(run_id)

    def runs(self, pipeline: str | None = None, limit: int = 20) -> tuple[RunRecord, ...]:
        """Return the latest runs, newest first; those whose process is gone are recorded as interrupted."""
        with self._transaction() as connection:
            self._mark_interrupted(connection)
            rows = connection.execute(
                "SELECT * FROM runs WHERE ?1 IS NULL OR pipeline = ?1 ORDER BY started_at DESC, rowid DESC LIMIT ?2",
                (pipeline, limit),
            ).fetchall()
            return tuple(_record(row, self._streams(connection, row["run_id"])) for row in rows)

    def close(self) -> None:
        """Close the file. A run of this store that was not ended counts as interrupted from here on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._locks.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None:
            raise StateError(f"The state file {self._path} was closed. Open it again.", ErrorInfo("state_closed"))
        with translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _end(self, connection: sqlite3.Connection, run_id: str, columns: str, values: tuple[object, ...]) -> None:
        ended = connection.execute(
            f"UPDATE runs SET {columns} WHERE run_id = ? AND status = ?", (*values, run_id, RunStatus.RUNNING.value)
        )
        if ended.rowcount != 1:
            raise StateError(f"Run {run_id} is not running according to {self._path}.", ErrorInfo("run_not_running"))

    def _mark_interrupted(self, connection: sqlite3.Connection) -> None:
        running = connection.execute("SELECT run_id FROM runs WHERE status = ?", (RunStatus.RUNNING.value,)).fetchall()
        for (run_id,) in running:
            if not self._locks.is_held(run_id):
                connection.execute("UPDATE runs SET status = ? WHERE run_id = ?", (RunStatus.INTERRUPTED.value, run_id))

    def _streams(self, connection: sqlite3.Connection, run_id: str) -> tuple[StreamReport, ...]:
        rows = connection.execute(
            f"SELECT {_STREAM_COLUMNS} FROM run_streams WHERE run_id = ? ORDER BY position", (run_id,)
        )
        return tuple(StreamReport(*row) for row in rows)


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
    )


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp)


def _record(row: sqlite3.Row, streams: tuple[StreamReport, ...]) -> RunRecord:
    finished_at, category = row["finished_at"], row["error_category"]
    return RunRecord(
        run_id=row["run_id"],
        pipeline=row["pipeline"],
        status=RunStatus(row["status"]),
        started_at=_moment(row["started_at"]),
        finished_at=None if finished_at is None else _moment(finished_at),
        rows_read=row["rows_read"],
        rows_written=row["rows_written"],
        bytes_read=row["bytes_read"],
        error_category=None if category is None else Category(category),
        error_code=row["error_code"],
        error_message=row["error_message"],
        streams=streams,
    )
