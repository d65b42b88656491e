"""The caller's way to stop what runs."""

from __future__ import annotations


class Cancellation:
    """Handed to a run, which stops within about a second of `cancel`. Safe in signal handlers: it takes no lock."""

    def __init__(self) -> None:
        self._is_cancelled = False

    @property
    def is_cancelled(self) -> bool:
        """Whether the order was given."""
        return self._is_cancelled

    def cancel(self) -> None:
        """Give the order, from any thread or signal handler. Safe to repeat."""
        self._is_cancelled = True
