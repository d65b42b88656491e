"""How an error is told: to a person in a few lines, to a machine as a document."""

from __future__ import annotations

from rapidbyte.cli.hints import hint_for
from rapidbyte.errors import DocumentError, RapidbyteError


def failure_text(error: RapidbyteError) -> str:
    """Return `error: …`, with the connector that failed, and a line `hint: …` where one helps."""
    message = error.message
    connector = dict(error.info.details).get("connector")
    if connector is not None and connector not in message:
        message = f"{connector}: {message}"
    if isinstance(error, DocumentError):
        count = len(error.problems)
        counted = "a problem" if count == 1 else f"{count} problems"
        message = "\n".join((f"the pipeline document has {counted}", *(f"  {line}" for line in message.splitlines())))
    hint = hint_for(error)
    return f"error: {message}" if hint is None else f"error: {message}\nhint: {hint}"


def failure_document(error: RapidbyteError, exit_code: int) -> dict[str, object]:
    """Return the document that stands in the place of a result."""
    described: dict[str, object] = {
        "category": error.category.value,
        "code": error.code,
        "message": error.message,
        "retryable": error.retryable,
        "details": dict(error.info.details),
        "hint": hint_for(error),
        "exit_code": exit_code,
    }
    if isinstance(error, DocumentError):
        described["problems"] = [
            {"path": problem.path, "line": problem.line, "message": problem.message} for problem in error.problems
        ]
    return {"error": described}
