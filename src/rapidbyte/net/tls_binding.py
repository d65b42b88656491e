"""The channel binding `tls-server-end-point` of a certificate (RFC 5929 §4.1): its digest by its own signature's hash.

MD5 and SHA-1 give way to SHA-256 there. A signature whose hash is not in its name, such as that of Ed25519, has none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

_RSA, _ECDSA = "2a864886f70d0101", "2a8648ce3d04"
_HASH_BY_SIGNATURE: Mapping[str, str] = {  # the DER of the object identifier
    f"{_RSA}04": "sha256",  # md5WithRSAEncryption
    f"{_RSA}05": "sha256",  # sha1WithRSAEncryption
    f"{_RSA}0b": "sha256",
    f"{_RSA}0c": "sha384",
    f"{_RSA}0d": "sha512",
    f"{_RSA}0e": "sha224",
    f"{_ECDSA}01": "sha256",  # ecdsa-with-SHA1
    f"{_ECDSA}0301": "sha224",
    f"{_ECDSA}0302": "sha256",
    f"{_ECDSA}0303": "sha384",
    f"{_ECDSA}0304": "sha512",
}
_SEQUENCE, _OBJECT_IDENTIFIER = 0x30, 0x06


def end_point_of(certificate: bytes) -> bytes:
    """Return the binding of a certificate (DER); nothing where it has none, or is no certificate."""
    try:
        body, _ = _content(certificate, _SEQUENCE)
        _, rest = _content(body, _SEQUENCE)  # what is signed
        algorithm, _ = _content(rest, _SEQUENCE)
        identifier, _ = _content(algorithm, _OBJECT_IDENTIFIER)
    except ValueError:
        return b""
    name = _HASH_BY_SIGNATURE.get(identifier.hex())
    return b"" if name is None else hashlib.new(name, certificate).digest()


def _content(encoded: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the first element, which must have `tag`, and what follows it. Raises ValueError."""
    if len(encoded) < 2 or encoded[0] != tag:
        raise ValueError("another tag")
    length, start = encoded[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(encoded[2:start], "big")
    if len(encoded) < start + length:
        raise ValueError("cut short")
    return encoded[start : start + length], encoded[start + length :]
