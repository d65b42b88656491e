"""What can go wrong before anything is explained. Each message says what to do next."""

from __future__ import annotations


class AffectedError(ValueError):
    """The goal `affected` cannot answer."""


class OptionsError(AffectedError):
    """An option of the goal has a value that it cannot have."""


class GitError(AffectedError):
    """Git cannot tell what changed."""


class UnknownScenarioError(AffectedError):
    """No test target has the path or the address that was asked for."""
