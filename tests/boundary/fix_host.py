"""The host that boundary tests start their guests on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boundary.wat_guests import Host, hosting


@pytest.fixture
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    with hosting(tmp_path_factory.getbasetemp() / "aot") as host:
        yield host
