"""What keeps tests from getting a server. Each message says what to do next."""

from __future__ import annotations


class ProviderError(Exception):
    """The server that was asked for cannot be had."""
