"""A fixture for tables that several sessions fill, before they become what they are made for."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from harness.names import SchemaPair

Shares = Callable[[str, str], list[str]]

_SHARES = """
    SELECT relname FROM pg_class
    WHERE relnamespace = to_regnamespace('_rapidbyte') AND relkind = 'r'
    AND starts_with(relname, format('share_%%s_', lpad(to_hex(hashtextextended(%s, 0)), 16, '0')))
"""


@pytest.fixture
def shares(session: psycopg.Connection, schemas: SchemaPair) -> Shares:
    """List those of a pipeline and a stream of this test."""

    def of(pipeline: str, stream: str) -> list[str]:
        key = f'rapidbyte:stream:{pipeline}:{stream}:"{schemas.destination}"."{stream}"'
        return [name for (name,) in session.execute(_SHARES, (key,)).fetchall()]

    return of
