"""A connector is found by name or path, and a wrong name is answered with the right ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from rapidbyte.engine import connectors
from rapidbyte.engine.connectors import known_connectors, read_connector
from rapidbyte.errors import ConnectorNotFoundError
from rapidbyte.model import Kind


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with three connectors."""
    for name in ("source_postgres", "source_mysql", "dest_postgres"):
        (tmp_path / f"{name}.wasm").write_bytes(name.encode())
    monkeypatch.setattr(connectors, "_bundled", lambda: tmp_path)
    return tmp_path


@pytest.mark.usefixtures("bundled")
def test_a_short_name_depends_on_the_role() -> None:
    assert read_connector("postgres", Kind.SOURCE) == b"source_postgres"
    assert read_connector("postgres", Kind.DESTINATION) == b"dest_postgres"
    assert known_connectors(Kind.SOURCE) == ("mysql", "postgres")
    assert known_connectors(Kind.DESTINATION) == ("postgres",)


@pytest.mark.usefixtures("bundled")
def test_a_wrong_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConnectorNotFoundError) as caught:
        read_connector("postgress", Kind.SOURCE)
    assert caught.value.message == (
        "There is no source connector 'postgress'. Did you mean postgres? Known are: mysql, postgres; or give the path "
        "of a .wasm file."
    )


def test_an_installation_without_connectors_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connectors, "_bundled", lambda: tmp_path / "absent")
    with pytest.raises(ConnectorNotFoundError, match="this installation has none built in"):
        read_connector("postgres", Kind.SOURCE)


def test_a_path_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mine.wasm"
    path.write_bytes(b"mine")
    assert read_connector(str(path), Kind.SOURCE) == b"mine"


def test_a_path_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectorNotFoundError, match=r"absent\.wasm cannot be read: No such file or directory"):
        read_connector(str(tmp_path / "absent.wasm"), Kind.SOURCE)
