"""The first copies of streams whose changes are read, where several lanes make them: several at once, each in parts.

The lane that moves the changes takes the snapshot, at one place of the log, makes copies like the others, and between
two of them publishes those that are done. Each then has the receipt that its changes go on from, so that a run which
dies here has lost only the copies that it had not published.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future

from rapidbyte.engine.checkpoint import Total
from rapidbyte.engine.documents import Snapshotted
from rapidbyte.engine.lane import Lane
from rapidbyte.engine.parts import Parts
from rapidbyte.engine.rejects import Rejects
from rapidbyte.engine.resumption import Receipt, Resumption, resume
from rapidbyte.model import JsonObject, StreamSpec
from rapidbyte.state import RejectedAt


class Copies:
    """Copies that `lead` is responsible for, by stream; `resumptions` has where all streams of the log are."""

    def __init__(
        self,
        lead: Lane,
        resumptions: Mapping[int, Resumption],
        parts: Mapping[int, Parts],
        specs: tuple[StreamSpec, ...],
        run_id: str,
        rejects: Rejects,
    ) -> None:
        self.parts = parts
        self.resumptions = dict(resumptions)  # of those that were published, behind their copies
        self.snapshot: JsonObject | None = None  # what every lane must see that joins
        self._lead = lead
        self._specs = specs
        self._run_id = run_id
        self._rejects = rejects
        self._snapshotting: Future[Snapshotted] | None = lead.take_snapshot(resumptions, tuple(parts))
        self._positions: Mapping[int, JsonObject] = {}
        self._publishing: int | None = None
        self._published: set[int] = set()

    @property
    def is_over(self) -> bool:
        """Whether all copies are the streams' own."""
        return len(self._published) == len(self.parts)

    @property
    def is_handed_out(self) -> bool:
        """Whether no lane can join any more."""
        return all(parts.is_handed_out for parts in self.parts.values())

    @property
    def wanted(self) -> int:
        """How many more lanes should join."""
        return sum(parts.wanted for parts in self.parts.values()) if self.snapshot is not None else 0

    def unpublished(self, stream: int) -> Total | None:
        """Return what is moved of a copy that is not the stream's own yet; None of any other stream."""
        return self.parts[stream].total if stream in self.parts and stream not in self._published else None

    def join(self, lane: Lane) -> bool:
        """Let a free lane make a copy that nobody has begun, or help with another; tell whether one needs it."""
        waiting = [parts for parts in self.parts.values() if parts.wanted]
        if self.snapshot is None or not waiting:
            return False
        min(waiting, key=lambda parts: parts.is_begun).join(lane)
        return True

    def proceed(self) -> tuple[Lane, ...]:
        """Start what comes next, where nothing failed; return the lanes that came to the end of their parts.

        Raises InternalError when the source left something of a stream unread, and StateError.
        """
        free = tuple(lane for parts in self.parts.values() for lane in parts.let_go())
        for parts in self.parts.values():
            if parts.is_begun and not parts.is_over:
                parts.measure()
        if not self._lead.busy:
            self._go_on()
        return free

    def _go_on(self) -> None:
        """Let the lead do what it alone can do, or else join a copy."""
        if self._snapshotting is not None:
            taken, self._snapshotting = self._snapshotting.result(), None
            self.snapshot, self._positions = taken.snapshot, taken.positions
        if self._publishing is not None:
            self._published.add(self._publishing)
            self._note(self._publishing)
            self._publishing = None
        done = next((stream for stream, parts in self.parts.items() if self._is_ready(stream, parts)), None)
        if done is None:
            self.join(self._lead)
            return
        self.parts[done].require_all_read()
        self._publishing = done
        self._lead.publish(done, *self._arrived(done), self._positions[done])

    def _is_ready(self, stream: int, parts: Parts) -> bool:
        return parts.is_over and stream not in self._published

    def _arrived(self, stream: int) -> tuple[int, int]:
        """Return the rows and bytes that are in the copy."""
        arrived, unwritten = self.parts[stream].total.delivered, self._rejects.count(stream, RejectedAt.DESTINATION)
        return arrived.rows - unwritten, arrived.size_bytes

    def _note(self, stream: int) -> None:
        """Go on from the receipt of a copy, as a later attempt would."""
        self.parts[stream].total.after_publication()
        rows, size_bytes = self._arrived(stream)
        receipt = Receipt(self._run_id, self._positions[stream], rows, size_bytes, is_complete=False, is_finished=False)
        self._rejects.begin(stream, receipt, has_receipts=True)
        self.resumptions[stream] = resume(receipt, self._specs[stream], self._run_id)
