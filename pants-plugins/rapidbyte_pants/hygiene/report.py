"""How the linters of the build say what they found: a line for each finding, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable

from pants.core.goals.lint import LintResult


def report(linter: str, findings: Iterable[str], remedy: str) -> LintResult:
    """Make the result of a linter, which fails if there is a finding."""
    lines = sorted(set(findings))
    text = "\n".join((*lines, remedy)) if lines else ""
    return LintResult(exit_code=1 if lines else 0, stdout=text, stderr="", linter_name=linter)
