"""The request of `sock_start_tls` (docs/ABI.md §7), and which files it may name.

A connector has no files of its own. Those it names for TLS must stand in its config, where the pipeline's author wrote
them.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from rapidbyte.errors import ErrorInfo, NetworkError, PermissionDeniedError
from rapidbyte.net import TlsOptions, Verification


class _Request(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)  # a minor version may add keys
    server_name: str = Field(min_length=1, max_length=1024)
    verify: Verification
    roots: str | None = None
    certificate: str | None = None
    key: str | None = None


_REQUEST = TypeAdapter(_Request)


def read_tls_request(document: bytes, texts_of_config: frozenset[str]) -> TlsOptions:
    """Read a request. Raises NetworkError with code `invalid_argument`, or PermissionDeniedError with code `denied`."""
    try:
        request = _REQUEST.validate_json(document)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise NetworkError(
            f"The request for TLS cannot be read: {place}: {first['msg']}.", ErrorInfo("invalid_argument")
        ) from None
    options = TlsOptions(
        request.server_name, request.verify, request.roots or None, request.certificate or None, request.key or None
    )
    for path in options.files():
        if path not in texts_of_config:
            raise PermissionDeniedError(
                f"The connector may not use the file {path}: it is not named in its config.", ErrorInfo("denied")
            )
    return options


def texts_of(value: object) -> Iterator[str]:
    """Yield all texts within a decoded JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_of(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from texts_of(part)
