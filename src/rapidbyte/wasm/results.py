"""The results of lifecycle calls: JSON in one shape, of which a guest's errors become ours (docs/ABI.md §3)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from rapidbyte.errors import Category, CommitState, ErrorInfo, InternalError, RapidbyteError, Scope, error_of

_Choice = TypeVar("_Choice", bound=Enum)


def unpack_result(document: bytes, connector: str) -> Any:
    """Return the value of an `ok` result, or raise the error of the other kind.

    Raises InternalError with code `bad_result` for anything else; the value itself is for the caller to check.
    """
    try:
        result = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise bad_result(connector, "it is not JSON") from error
    if isinstance(result, dict) and result.keys() == {"ok"}:
        return result["ok"]
    if isinstance(result, dict) and result.keys() == {"error"} and isinstance(result["error"], dict):
        raise _error_of(result["error"], connector)
    raise bad_result(connector, "it has neither ok nor error")


def bad_result(connector: str, why: str) -> InternalError:
    """Return the error for a result that breaks the ABI."""
    return InternalError(
        f"{connector} gave a result that cannot be used: {why}. This is a fault of the connector; please report it.",
        ErrorInfo("bad_result", details=(("connector", connector),)),
    )


def _error_of(document: Mapping[str, Any], connector: str) -> RapidbyteError:
    category = _choice(Category, document.get("category"), connector)
    details = document.get("details") or {}
    wait_ms = document.get("retry_after_ms")
    state = document.get("commit_state")
    if not isinstance(details, dict) or not (wait_ms is None or type(wait_ms) is int):
        return bad_result(connector, "its error has details or a retry_after_ms of the wrong type")
    info = ErrorInfo(
        code=str(document.get("code") or category.value),
        scope=_choice(Scope, document.get("scope", Scope.STREAM.value), connector),
        retryable=document.get("retryable") is True,
        retry_after_ms=wait_ms,
        safe_to_retry=document.get("safe_to_retry") is True,
        commit_state=None if state is None else _choice(CommitState, state, connector),
        details=(*((str(key), str(value)) for key, value in details.items()), ("connector", connector)),
    )
    return error_of(category, str(document.get("message") or f"{connector} failed without a message."), info)


def _choice(kind: type[_Choice], value: object, connector: str) -> _Choice:
    try:
        return kind(value)
    except ValueError as error:
        raise bad_result(connector, f"{value!r} is not a {kind.__name__.lower()} of an error") from error
