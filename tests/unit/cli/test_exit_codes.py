"""Which number a failure becomes, and what the user is told to try."""

from __future__ import annotations

import pytest

from rapidbyte.cli.exit_codes import ExitCode, exit_code_of
from rapidbyte.cli.failure import failure_document, failure_text
from rapidbyte.cli.hints import hint_for
from rapidbyte.errors import (
    AuthError,
    CancelledRunError,
    Category,
    ConnectorCrashError,
    ConnectorNotFoundError,
    DataError,
    DocumentError,
    ErrorInfo,
    NetworkError,
    PermissionDeniedError,
    Problem,
    RapidbyteError,
    SchemaError,
    StateError,
    TransientDatabaseError,
    error_of,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (DocumentError("p.yaml", ()), 2),
        (ConnectorNotFoundError("There is no connector x."), 2),
        (StateError("The state file is damaged."), 2),
        (AuthError("Wrong password."), 3),
        (NetworkError("Refused."), 3),
        (PermissionDeniedError("No."), 3),
        (TransientDatabaseError("Deadlock."), 3),
        (DataError("Too long."), 4),
        (SchemaError("No such table."), 4),
        (ConnectorCrashError("Trap."), 5),
        (CancelledRunError("Stopped."), 130),
    ],
)
def test_error_has_its_documented_exit_code(error: RapidbyteError, code: int) -> None:
    assert exit_code_of(error) == code


def test_every_category_has_an_exit_code() -> None:
    codes = {category: exit_code_of(error_of(category, "x", ErrorInfo("x"))) for category in Category}
    assert set(codes.values()) == {
        ExitCode.USAGE,
        ExitCode.UNREACHABLE,
        ExitCode.DATA,
        ExitCode.INTERNAL,
        ExitCode.INTERRUPTED,
    }


def test_failure_is_a_line_with_its_hint() -> None:
    error = AuthError('password authentication failed for user "ada"', ErrorInfo("28P01"))
    assert failure_text(error) == (
        'error: password authentication failed for user "ada"\n'
        "hint: check `user` and `password` in the connector's config; a password with special characters needs quotes."
    )


def test_failure_names_the_side_it_is_on_once() -> None:
    details = (("host", "db"), ("connector", "source postgres"))
    assert failure_text(AuthError("No.", ErrorInfo("auth", details=details))) == "error: source postgres: No."
    assert failure_text(ConnectorCrashError("The source postgres trapped.", ErrorInfo("trap", details=details))) == (
        "error: The source postgres trapped."
    )


def test_failure_that_says_it_all_has_no_hint() -> None:
    assert hint_for(DataError("x")) is None
    assert failure_text(ConnectorNotFoundError("There is no connector x.")) == "error: There is no connector x."


def test_problems_of_a_document_are_counted_and_listed() -> None:
    one = DocumentError("p.yaml", (Problem("pipeline", "is required", 1),))
    two = DocumentError("p.yaml", (*one.problems, Problem("", "is empty")))
    assert failure_text(one) == "error: the pipeline document has a problem\n  p.yaml:1: pipeline: is required"
    assert failure_text(two) == (
        "error: the pipeline document has 2 problems\n  p.yaml:1: pipeline: is required\n  p.yaml: is empty"
    )


def test_failure_document_holds_what_a_machine_decides_by() -> None:
    error = NetworkError("Refused.", ErrorInfo("connection_refused", retryable=True, details=(("host", "db:5432"),)))
    assert failure_document(error, ExitCode.UNREACHABLE) == {
        "error": {
            "category": "transient_network",
            "code": "connection_refused",
            "message": "Refused.",
            "retryable": True,
            "details": {"host": "db:5432"},
            "hint": "check `host` and `port` in the connector's config.",
            "exit_code": 3,
        }
    }


def test_failure_document_lists_the_problems_of_a_document() -> None:
    document = failure_document(DocumentError("p.yaml", (Problem("a.b", "is required", 7),)), ExitCode.USAGE)
    error = document["error"]
    assert isinstance(error, dict)
    assert error["problems"] == [{"path": "a.b", "line": 7, "message": "is required"}]
