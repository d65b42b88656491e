"""The names of the values that connectors keep (docs/ABI.md §10)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

from rapidbyte.errors import ErrorInfo, InternalError
from rapidbyte.model import StateScope
from rapidbyte.wasm.abi import MAX_STATE_NAME_BYTES

_KEYS = frozenset(("scope", "name"))
_SCOPES = {scope.value: scope for scope in StateScope}


@dataclass(frozen=True, slots=True)
class StateName:
    """A value's name within its scope; `stream` is the index of a stream, and None in the other scopes."""

    scope: StateScope
    stream: int | None
    name: str

    @classmethod
    def parse(cls, document: bytes) -> Self:
        """Read the JSON that a guest passed. Raises InternalError with code `invalid_argument` or `too_large`."""
        try:
            values = json.loads(document)
        except (ValueError, RecursionError) as error:
            raise _invalid("that is not JSON") from error
        if not isinstance(values, dict) or values.keys() - {"stream"} != _KEYS:
            raise _invalid("that is not an object of scope and name, and of stream in its scope")
        scope, stream, name = _SCOPES.get(str(values["scope"])), values.get("stream"), values["name"]
        if scope is None:
            raise _invalid(f"of the unknown scope {values['scope']!r}; there are {', '.join(_SCOPES)}")
        is_stream = type(stream) is int and stream >= 0
        if is_stream != (scope is StateScope.STREAM) or ("stream" in values and not is_stream):
            raise _invalid("whose stream is no number, or that has one outside the scope of a stream")
        if not isinstance(name, str) or not name or not name.isprintable():
            raise _invalid("that is no text, is empty, or has characters that cannot be printed")
        if len(name.encode()) > MAX_STATE_NAME_BYTES:
            raise InternalError(
                f"The name of a kept value has {len(name.encode())} bytes; at most {MAX_STATE_NAME_BYTES} are taken.",
                ErrorInfo("too_large"),
            )
        return cls(scope, stream, name)


def _invalid(what: str) -> InternalError:
    return InternalError(f"A guest passed the name of a kept value {what}.", ErrorInfo("invalid_argument"))
