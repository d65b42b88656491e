"""Names of schemas, `src_<test>_<nonce>` and `dst_<test>_<nonce>`, and of databases, `db_<test>_<nonce>`.

They are unique over processes and machines, and within 63 bytes.

A nonce is eight hexadecimal digits of the owning process, which it holds an advisory lock for, and four that count its
tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_NAME_BYTES = 63
_OWNER_DIGITS = 8
_COUNT_DIGITS = 4
_SLUG_CHARS = MAX_NAME_BYTES - len("src__") - _OWNER_DIGITS - _COUNT_DIGITS
_OWNED = re.compile(rf"(?:src|dst|db)_.*_([0-9a-f]{{{_OWNER_DIGITS}}})[0-9a-f]{{{_COUNT_DIGITS}}}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SchemaPair:
    """The schemas of one test: where it reads and where it writes."""

    source: str
    destination: str


def schema_pair(test: str, owner: int, count: int) -> SchemaPair:
    """Name the schemas of the `count`-th test of the process that owns the 32-bit number `owner`."""
    slug = re.sub(r"[^a-z0-9]+", "_", test.lower().removeprefix("test_")).strip("_")[:_SLUG_CHARS]
    nonce = f"{owner:0{_OWNER_DIGITS}x}{count:0{_COUNT_DIGITS}x}"
    return SchemaPair(f"src_{slug}_{nonce}", f"dst_{slug}_{nonce}")


def database_name(pair: SchemaPair) -> str:
    """Name the database of a test, for what is there once in every database."""
    return f"db{pair.source.removeprefix('src')}"


def owner_of(name: str) -> int | None:
    """Give the owner's number of a schema or database named here, None for any other."""
    found = _OWNED.fullmatch(name)
    return None if found is None else int(found[1], 16)
